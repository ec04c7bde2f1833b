"""The one place where the studio's settings are read. A setting nobody changed has the default the studio was given."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet

from endpoints.models import SettingChange, StudioSetting
from endpoints.spec.studio_settings import SETTINGS, Setting
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require


def default_of(name: str) -> int:
    """What the environment gave, else what the product ships with."""
    defaults: dict[str, int] = settings.SLIPWAY_DEFAULTS
    return defaults[name]


def setting(name: str) -> int:
    """The value in force. One query."""
    value = StudioSetting.objects.filter(name=name).values_list("value", flat=True).first()
    return default_of(name) if value is None else value


def settings_in_force() -> dict[str, int]:
    """All of them. One query."""
    changed = dict(StudioSetting.objects.filter(name__in=SETTINGS).values_list("name", "value"))
    return {name: changed.get(name, default_of(name)) for name in SETTINGS}


def has_reservation() -> bool:
    """Whether deployments keep a fifth of their instances free for upgrades."""
    return bool(setting("quota_reservation"))


@dataclass(frozen=True, slots=True)
class SettingState:
    """A setting with the value in force, and what a reset would make of it."""

    setting: Setting
    value: int
    default: int

    @property
    def is_changed(self) -> bool:
        return self.value != self.default


def studio_settings(user: User) -> list[SettingState]:
    """All of them in their order, for whoever may read quota."""
    require(user, actions.QUOTA_READ)
    values = settings_in_force()
    return [SettingState(one, values[name], default_of(name)) for name, one in SETTINGS.items()]


def setting_changes(user: User) -> QuerySet[SettingChange]:
    """Every change, newest first."""
    require(user, actions.QUOTA_READ)
    return SettingChange.objects.select_related("changed_by").order_by("-changed_at", "-pk")
