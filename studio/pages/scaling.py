"""How a deployment is scaled: by hand, by rules, by the week, to zero; what was decided, and waking and sleeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.spec.errors import Conflict, Invalid, OutOfQuota
from studio.access import actions
from studio.access.policy import require
from studio.forms.fields import SlimForm, add_domain_errors
from studio.forms.scaling import LimitsForm, RuleForm, ScheduleForm
from studio.pages.answers import Request, form_page, go, page, polled
from studio.pages.deployments import frame
from studio.pages.lists import page_of

DECISIONS_SHOWN = 25


@require_GET
def scaling(request: Request, endpoint: str, name: str) -> HttpResponse:
    """The policy, its instances over time and its decisions."""
    user = request.user
    context = frame(user, endpoint, name, "scaling")
    deployment = selectors.get_deployment(user, endpoint, name)
    view = selectors.view_of(deployment)
    context |= {
        "view": view,
        "policy": view.policy,
        "policy_name": selectors.policy_name(view),
        "page": page_of(request, selectors.decisions_of(user, deployment), per_page=DECISIONS_SHOWN),
    }
    if view.policy and not view.policy.minimum:
        context["cold"] = selectors.cold_starts(user, deployment)
    is_settled = view.state in {"awake", "asleep"}
    return polled(request, "pages/deployments/scaling.html", context, fragment="live", is_settled=is_settled)


def _back(endpoint: str, name: str) -> str:
    return reverse("deployments:scaling", args=[endpoint, name])


def _policy(request: Request, endpoint: str, name: str) -> dict[str, Any]:
    """The document of the policy as it is; one without rules where there is none."""
    view = selectors.scaling_of(request.user, endpoint, name)
    if view.policy:
        return view.policy.to_json()
    count = view.deployment.instance_count
    return {"minimum": 1, "maximum": max(1, count)}


def _form(
    request: Request,
    place: tuple[str, str],
    form: SlimForm,
    words: dict[str, str],
    changed: Callable[[dict[str, Any]], dict[str, Any]],
) -> HttpResponse:
    """A form that changes the policy: `changed` makes the new document of the present one."""
    endpoint, name = place
    if form.is_valid():
        try:
            policy = changed(_policy(request, endpoint, name))
            services.set_scaling(request.user, endpoint=endpoint, name=name, policy=policy)
        except (Invalid, Conflict, OutOfQuota) as error:
            add_domain_errors(form, error)
        else:
            return go(request, _back(endpoint, name))
    context = {**words, "back": _back(endpoint, name)}
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def limits(request: Request, endpoint: str, name: str) -> HttpResponse:
    """Bounds and sleep. The first time this makes the policy."""
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    present = _policy(request, endpoint, name)
    hold = present.get("hold", {})
    initial = {
        **present,
        "hold_requests": hold.get("requests", 200),
        "hold_timeout": hold.get("timeout", "2m"),
        "idle_timeout": present.get("idle_timeout", "10m"),
    }
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=initial)
    words = {"title": f"How {name} scales", "intro": "Nothing restarts.", "submit": "Save"}

    def changed(policy: dict[str, Any]) -> dict[str, Any]:
        merged = {**policy, **form.changes()}
        merged["hold"] = {**policy.get("hold", {}), **merged["hold"]}
        return {key: value for key, value in merged.items() if value is not None}

    return _form(request, (endpoint, name), form, words, changed)


@require_http_methods(["GET", "POST"])
def rule_add(request: Request, endpoint: str, name: str) -> HttpResponse:
    intro = "Any rule that adds wins; instances are taken away only if all rules that do agree."
    return _add(request, (endpoint, name), "rule", RuleForm, intro)


@require_http_methods(["GET", "POST"])
def schedule_add(request: Request, endpoint: str, name: str) -> HttpResponse:
    intro = "Other bounds on some days of the week. The first schedule that is on holds."
    return _add(request, (endpoint, name), "schedule", ScheduleForm, intro)


def _add(
    request: Request, place: tuple[str, str], noun: str, form_class: type[RuleForm | ScheduleForm], intro: str
) -> HttpResponse:
    """One more at the end of the policy's rules or schedules."""
    endpoint, name = place
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    form = form_class(request.POST if request.method == "POST" else None)
    words = {"title": f"A {noun} for {name}", "intro": intro, "submit": f"Add the {noun}"}
    part = f"{noun}s"
    return _form(request, place, form, words, lambda policy: {**policy, part: [*policy.get(part, ()), form.document()]})


@require_POST
def rule_remove(request: Request, endpoint: str, name: str, index: int) -> HttpResponse:
    return _remove(request, (endpoint, name), "rules", index)


@require_POST
def schedule_remove(request: Request, endpoint: str, name: str, index: int) -> HttpResponse:
    return _remove(request, (endpoint, name), "schedules", index)


def _remove(request: Request, place: tuple[str, str], part: str, index: int) -> HttpResponse:
    """Take one away by its place; one that somebody else has taken away is no error."""
    endpoint, name = place
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    items = _policy(request, endpoint, name).get(part, [])
    if index < len(items):
        changes = {part: [item for at, item in enumerate(items) if at != index]}
        services.change_scaling(request.user, endpoint=endpoint, name=name, changes=changes)
    return go(request, _back(endpoint, name))


@require_POST
def switch(request: Request, endpoint: str, name: str) -> HttpResponse:
    """On or off."""
    is_on = request.POST.get("enabled") == "true"
    services.change_scaling(request.user, endpoint=endpoint, name=name, changes={"enabled": is_on})
    return go(request, _back(endpoint, name))


@require_http_methods(["GET", "POST"])
def remove(request: Request, endpoint: str, name: str) -> HttpResponse:
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    view = selectors.scaling_of(request.user, endpoint, name)
    if request.method == "POST":
        services.remove_scaling(request.user, endpoint=endpoint, name=name)
        return go(request, _back(endpoint, name))
    count = view.deployment.instance_count
    point = "One instance starts, for without a policy nothing sleeps." if not count else f"It stays at {count}."
    context = {
        "title": f"Remove the scaling policy of {name}?",
        "intro": "From then on the count is what people set. Its rules and schedules are gone.",
        "points": [point],
        "submit": "Remove the policy",
        "danger": True,
        "back": _back(endpoint, name),
    }
    return page(request, "pages/form.html", context, fragment="form")


@require_POST
def wake(request: Request, endpoint: str, name: str) -> HttpResponse:
    try:
        services.wake_deployment(request.user, endpoint=endpoint, name=name)
    except OutOfQuota as refusal:
        messages.error(request, refusal.message)
    return go(request, _back(endpoint, name))


@require_POST
def sleep(request: Request, endpoint: str, name: str) -> HttpResponse:
    try:
        services.put_to_sleep(request.user, endpoint=endpoint, name=name)
    except Conflict as refusal:
        messages.error(request, refusal.message)
    return go(request, _back(endpoint, name))
