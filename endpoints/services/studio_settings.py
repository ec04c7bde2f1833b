"""Changes the studio's settings: with a note, in the history and in the audit log. Who reads them is in `selectors`."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from endpoints.control import routes
from endpoints.models import SettingChange, StudioSetting
from endpoints.selectors.studio_settings import default_of, setting
from endpoints.spec.errors import FieldError, Invalid, NotFound
from endpoints.spec.studio_settings import SETTINGS, Group, Setting
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

# What the studio as a whole keeps is the workspace's; how much anybody may take is quota.
_OF_THE_WORKSPACE = frozenset({Group.LOGS, Group.AUDIT})
# These reach the gateways with the routes.
_IN_ROUTES = frozenset({"requests_per_second", "bytes_per_second", "active_connections", "new_connections_per_second"})


def action_to_change(wanted: Setting) -> str:
    """The action that allows to change it."""
    return actions.WORKSPACE_WRITE if wanted.group in _OF_THE_WORKSPACE else actions.QUOTA_WRITE


def set_studio_settings(actor: User, *, values: Mapping[str, int | None], note: str = "") -> list[SettingChange]:
    """Several settings at once, or none of them; None resets one to its default. Returns what changed."""
    wanted = {name: _known(name) for name in values}
    for one in wanted.values():
        require(actor, action_to_change(one))
    details = [
        FieldError(name, problem)
        for name, value in values.items()
        if value is not None and (problem := wanted[name].problem(value))
    ]
    if details:
        raise Invalid(f"{details[0].field}: {details[0].message}", details=details)
    with transaction.atomic():
        changes = [
            change for name, value in sorted(values.items()) if (change := _set(actor, wanted[name], value, note))
        ]
        if any(change.name in _IN_ROUTES for change in changes):
            routes.publish()
    return changes


def _known(name: str) -> Setting:
    if name not in SETTINGS:
        raise NotFound(f"There is no setting {name!r}; there are {', '.join(SETTINGS)}.")
    return SETTINGS[name]


def _set(actor: User, wanted: Setting, value: int | None, note: str) -> SettingChange | None:
    before, after = setting(wanted.name), default_of(wanted.name) if value is None else value
    if value is None:
        StudioSetting.objects.filter(name=wanted.name).delete()
    else:
        StudioSetting.objects.update_or_create(name=wanted.name, defaults={"value": value})
    if before == after:
        return None
    audit.record(
        actor,
        action_to_change(wanted),
        target=f"setting {wanted.name}",
        summary=f"{'Reset' if value is None else 'Set'} {wanted.title.lower()}: {before} to {after}",
        before={wanted.name: before},
        after={wanted.name: after},
    )
    return SettingChange.objects.create(
        name=wanted.name, before=before, after=after, is_reset=value is None, note=note, changed_by=actor
    )
