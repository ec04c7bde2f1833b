"""/api/v1/settings: what admins set for the whole studio."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, read_body
from endpoints.models import SettingChange
from endpoints.selectors import SettingState
from endpoints.spec.errors import NotFound
from studio.access.models import User


class SettingOut(serializers.Serializer[SettingState]):
    """A setting with the value in force. Of yes/no settings 1 is yes."""

    name = serializers.CharField(source="setting.name")
    group = serializers.CharField(source="setting.group")
    title = serializers.CharField(source="setting.title")
    unit = serializers.CharField(source="setting.unit")
    value = serializers.IntegerField()
    default = serializers.IntegerField()
    minimum = serializers.IntegerField(source="setting.minimum")
    maximum = serializers.IntegerField(source="setting.maximum")


class SettingIn(serializers.Serializer[Any]):
    value = serializers.IntegerField()
    note = serializers.CharField(required=False, allow_blank=True, default="")


class SettingChangeOut(serializers.Serializer[SettingChange]):
    name = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    is_reset = serializers.BooleanField()
    note = serializers.CharField()
    changed_by = serializers.CharField(source="changed_by.username", default=None, allow_null=True)
    changed_at = serializers.DateTimeField()


class Settings(Door):
    @extend_schema(operation_id="settings_list", responses=SettingOut(many=True))
    def get(self, request: Request) -> Response:
        """All settings with value and default."""
        return self.listed(selectors.studio_settings(self.user), SettingOut)


class SettingDoor(Door):
    @extend_schema(operation_id="settings_set", request=SettingIn, responses=SettingOut)
    def put(self, request: Request, name: str) -> Response:
        """Change one setting."""
        wanted = read_body(SettingIn, values(request))
        services.set_studio_settings(self.user, values={name: wanted["value"]}, note=wanted["note"])
        return Response(SettingOut(_state(self.user, name)).data)

    @extend_schema(operation_id="settings_reset", responses=SettingOut)
    def delete(self, request: Request, name: str) -> Response:
        """Back to the default."""
        services.set_studio_settings(self.user, values={name: None})
        return Response(SettingOut(_state(self.user, name)).data)


class SettingChanges(Door):
    @extend_schema(operation_id="settings_history", responses=SettingChangeOut(many=True))
    def get(self, request: Request) -> Response:
        """Who changed what, newest first."""
        return self.listed(selectors.setting_changes(self.user), SettingChangeOut)


def _state(user: User, name: str) -> SettingState:
    for state in selectors.studio_settings(user):
        if state.setting.name == name:
            return state
    raise NotFound(f"There is no setting {name!r}.")
