"""`slipway monitor autoscale …`: the verbs and words of `az monitor autoscale`, onto a deployment's scaling policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from endpoints.cli.client import Json
from endpoints.cli.failures import CommandFailed, StudioError, UsageError
from endpoints.cli.resources import ID, Place, place_of
from endpoints.cli.session import Session, open_session
from endpoints.spec.scaling_rules import BadRule, read_action, read_condition

Change = Callable[[dict[str, Any]], Mapping[str, Any]]


# Policies ------------------------------------------------------------------------------------------------------


def create(
    count: int,
    name: str | None = None,
    resource: str | None = None,
    endpoint_name: str | None = None,
    min_count: int | None = None,
    max_count: int | None = None,
    idle_timeout: str | None = None,
    disabled: bool = False,
) -> Json:
    """Give a deployment a scaling policy, without rules yet."""
    place = _place(resource, endpoint_name)
    policy: dict[str, Any] = {
        "minimum": count if min_count is None else min_count,
        "maximum": count if max_count is None else max_count,
        "default": count,
        "enabled": not disabled,
        **({"name": name} if name else {}),
        **({"idle_timeout": idle_timeout} if idle_timeout else {}),
    }
    with open_session() as session:
        if _show(session, place)["policy"]:
            raise StudioError(
                f"The deployment '{place[1]}' has a scaling policy already; change it with: "
                "slipway monitor autoscale update",
                status=409,
                code="Conflict",
            )
        session.client.put(*_scaling(place), json=policy)
        return _show(session, place)


def show(name: str | None = None, resource: str | None = None, endpoint_name: str | None = None) -> Json:
    """Show a scaling policy, and how its deployment stands."""
    with open_session() as session:
        return _show(session, _find(session, name, resource, endpoint_name))


def list_() -> list[Json]:
    """List the scaling policies."""
    with open_session() as session:
        found: list[Json] = session.client.get("scaling-policies")
        return found


def update(
    name: str | None = None,
    resource: str | None = None,
    endpoint_name: str | None = None,
    count: int | None = None,
    min_count: int | None = None,
    max_count: int | None = None,
    idle_timeout: str | None = None,
    enabled: str | None = None,
) -> Json:
    """Change a policy's bounds, or switch it on or off."""
    changes: dict[str, Any] = {
        "minimum": min_count,
        "maximum": max_count,
        "default": count,
        "idle_timeout": idle_timeout,
        "enabled": enabled,
    }
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        raise UsageError("Say what to change: --count, --min-count, --max-count, --idle-timeout or --enabled.")
    if min_count:
        given.setdefault("idle_timeout", None)  # it sleeps only where the minimum is 0
    return _change(name, resource, endpoint_name, lambda _: given)


def enable(name: str | None = None, resource: str | None = None, endpoint_name: str | None = None) -> Json:
    """Switch a policy on."""
    return _change(name, resource, endpoint_name, lambda _: {"enabled": True})


def disable(name: str | None = None, resource: str | None = None, endpoint_name: str | None = None) -> Json:
    """Switch a policy off: the count stays where it is, and a sleeper wakes."""
    return _change(name, resource, endpoint_name, lambda _: {"enabled": False})


def delete(name: str | None = None, resource: str | None = None, endpoint_name: str | None = None) -> None:
    """Remove a policy: from then on the count is what people set."""
    with open_session() as session:
        session.client.delete(*_scaling(_find(session, name, resource, endpoint_name)))


def decisions(
    name: str | None = None, resource: str | None = None, endpoint_name: str | None = None, top: int = 50
) -> list[Json]:
    """List what a policy decided and why, newest first."""
    with open_session() as session:
        place = _find(session, name, resource, endpoint_name)
        found: list[Json] = session.client.get(*_scaling(place), "decisions", limit=top)
        return found


# Rules ---------------------------------------------------------------------------------------------------------


def rule_create(
    autoscale_name: str,
    condition: Sequence[str],
    scale: Sequence[str],
    cooldown: int = 5,
    resource: str | None = None,
    profile_name: str | None = None,
) -> Json:
    """Add a rule. It holds at all times of the week, within the bounds that hold then."""
    if profile_name and profile_name != "default":
        raise UsageError("Rules hold in every profile here; leave --profile-name out.")
    rule = {
        "condition": " ".join(condition),
        "scale": " ".join(scale),
        "cooldown": f"{cooldown}m" if cooldown else "0s",
        "resource": "endpoint" if resource and _is_endpoint(resource) else "deployment",
    }
    try:
        read_condition(rule["condition"])
        read_action(rule["scale"])
    except BadRule as bad:
        raise UsageError(str(bad)) from None
    return _change(autoscale_name, None, None, lambda policy: {"rules": [*policy.get("rules", ()), rule]})


def rule_list(autoscale_name: str) -> list[Json]:
    """List a policy's rules."""
    rules: list[Json] = _policy_of(autoscale_name).get("rules", [])
    return rules


def rule_delete(autoscale_name: str, index: Sequence[str]) -> Json:
    """Remove rules by their place in the list, from 0; * removes all."""

    def change(policy: dict[str, Any]) -> Mapping[str, Any]:
        rules = policy.get("rules", [])
        gone = range(len(rules)) if "*" in index else [_number(each, len(rules)) for each in index]
        return {"rules": [rule for at, rule in enumerate(rules) if at not in gone]}

    return _change(autoscale_name, None, None, change)


def _number(text: str, length: int) -> int:
    if not text.isdecimal() or int(text) >= length:
        raise CommandFailed(f"There is no rule {text!r}; there are {length}, counted from 0.")
    return int(text)


# Profiles ------------------------------------------------------------------------------------------------------


def profile_create(
    autoscale_name: str,
    name: str,
    count: int,
    recurrence: Sequence[str],
    timezone: str = "UTC",
    min_count: int | None = None,
    max_count: int | None = None,
    start: str = "00:00",
    end: str = "23:59",
    copy_rules: str | None = None,
) -> Json:
    """Other bounds on some days of the week, from one time of the day to another."""
    word, *days = recurrence
    if word.lower() != "week" or not days:
        raise UsageError("Write the days like: --recurrence week sat sun")
    schedule = {
        "name": name,
        "days": [day.lower() for day in days],
        "starts": start,
        "ends": end,
        "time_zone": timezone,
        "minimum": count if min_count is None else min_count,
        "maximum": count if max_count is None else max_count,
        "count": count,
    }
    return _change(autoscale_name, None, None, lambda policy: {"schedules": [*policy.get("schedules", ()), schedule]})


def profile_list(autoscale_name: str) -> list[Json]:
    """List a policy's profiles: its own bounds, then its schedules."""
    policy = _policy_of(autoscale_name)
    own = {key: policy.get(key) for key in ("minimum", "maximum", "default")}
    return [{"name": "default", **own}, *policy.get("schedules", ())]


def profile_show(autoscale_name: str, name: str) -> Json:
    """Show one profile."""
    for profile in profile_list(autoscale_name):
        if str(profile["name"]).lower() == name.lower():
            return profile
    raise CommandFailed(f"The policy '{autoscale_name}' has no profile {name!r}.")


def profile_delete(autoscale_name: str, name: str) -> Json:
    """Remove a profile."""
    profile_show(autoscale_name, name)
    if name.lower() == "default":
        raise UsageError("The default profile is the policy itself: slipway monitor autoscale delete")
    return _change(
        autoscale_name,
        None,
        None,
        lambda policy: {
            "schedules": [each for each in policy.get("schedules", ()) if each["name"].lower() != name.lower()]
        },
    )


# Finding -------------------------------------------------------------------------------------------------------


def _is_endpoint(resource: str) -> bool:
    """Whether a resource means an endpoint rather than a deployment: by its id, or `<endpoint>` without a slash."""
    match = ID.search(resource)
    return not match["deployment"] if match else "/" not in resource


def _place(resource: str | None, endpoint_name: str | None) -> Place:
    """Of a deployment."""
    place = place_of(resource, endpoint_name)
    if not place.endpoint or not place.deployment or "/" in place.deployment:
        raise UsageError(
            "--resource names a deployment: its resource id, <endpoint>/<deployment>, or a name beside --endpoint-name."
        )
    return place


def _find(session: Session, name: str | None, resource: str | None, endpoint_name: str | None) -> Place:
    if resource:
        return _place(resource, endpoint_name)
    if not name:
        raise UsageError("Say which policy: --name, or --resource with its deployment.")
    found = session.client.get("scaling-policies", name=name)
    if not found:
        raise CommandFailed(f"There is no scaling policy named '{name}'; list them: slipway monitor autoscale list")
    if len(found) > 1:
        places = ", ".join(f"{each['endpoint_name']}/{each['deployment_name']}" for each in found)
        raise CommandFailed(f"Several policies are named '{name}' ({places}); use --resource.")
    return Place(found[0]["endpoint_name"], found[0]["deployment_name"])


def _scaling(place: Place) -> tuple[str, ...]:
    return ("online-endpoints", place[0], "deployments", place[1], "scaling")


def _show(session: Session, place: Place) -> Json:
    found: Json = session.client.get(*_scaling(place))
    return found


def _policy_of(autoscale_name: str) -> dict[str, Any]:
    with open_session() as session:
        policy: dict[str, Any] = _show(session, _find(session, autoscale_name, None, None))["policy"]
        return policy


def _change(name: str | None, resource: str | None, endpoint_name: str | None, change: Change) -> Json:
    """Read the policy, send what changes, show what came of it."""
    with open_session() as session:
        place = _find(session, name, resource, endpoint_name)
        policy = _show(session, place)["policy"]
        if policy is None:
            raise CommandFailed(
                f"The deployment '{place[1]}' has no scaling policy; make one: slipway monitor autoscale create"
            )
        session.client.patch(*_scaling(place), json=dict(change(policy)))
        return _show(session, place)
