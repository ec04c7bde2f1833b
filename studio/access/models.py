"""People and what they may do. Roles are Azure's JSON: action strings with wildcards, and exceptions to them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import Group as Group
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    """A person or a program. A superuser is Owner of the workspace whatever the assignments say."""


class Role(models.Model):
    """A named set of actions (contract B11). `is_builtin` ones come with the studio and cannot be edited."""

    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    actions = models.JSONField(default=list)
    not_actions = models.JSONField(default=list)
    is_builtin = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class RoleAssignment(models.Model):
    """Gives `role` to a user or a group, for the workspace (`endpoint` empty) or for one endpoint by name."""

    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="assignments")
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    endpoint = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) ^ models.Q(group__isnull=False),
                name="assignment_has_user_or_group",
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} for {self.user or self.group} on {self.endpoint or 'workspace'}"


class ApiToken(models.Model):
    """A token for programs: only its digest is kept. The columns are those knox looks tokens up by.

    token_key: the secret's public beginning. name: what it is for. expiry: None for never.
    """

    digest = models.CharField(max_length=128, primary_key=True)
    token_key = models.CharField(max_length=25, db_index=True)
    name = models.CharField(max_length=64, blank=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="auth_token_set")
    created = models.DateTimeField(auto_now_add=True)
    expiry = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name or self.token_key} of {self.user}"


class Invitation(models.Model):
    """A link that lets somebody choose the password of an account once. Only the secret's digest is kept."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="invitation")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"invitation of {self.user}"


class AppendOnly(models.QuerySet["AuditRecord"]):
    """Rows that are written and read, never changed."""

    def update(self, **values: object) -> int:
        raise TypeError("What was recorded is never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("What was recorded is never deleted.")


class AuditRecord(models.Model):
    """Who did what, when, from where, and what it changed. It outlives people and things, so it names them.

    actor: "" for the studio itself. action: Azure's action string, or a word (SignIn). target: what it was done to.
    is_refused: it was tried and not allowed.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=150, blank=True, db_index=True)
    action = models.CharField(max_length=128, db_index=True)
    target = models.CharField(max_length=255, blank=True)
    summary = models.TextField(blank=True)
    is_refused = models.BooleanField(default=False)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    address = models.CharField(max_length=45, blank=True)  # of the caller
    door = models.CharField(max_length=8, blank=True)  # page, api; "" within the studio

    objects = AppendOnly.as_manager()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor or 'the studio'} {self.action} {self.target}"

    @property
    def differences(self) -> list[tuple[str, object, object]]:
        """(key, before, after) of everything either side names; "" where a side does not."""
        before, after = self.before or {}, self.after or {}
        return [(key, before.get(key, ""), after.get(key, "")) for key in {**before, **after}]

    def save(self, *args: object, **values: object) -> None:
        if not self._state.adding:
            raise TypeError("What was recorded is never changed.")
        super().save(force_insert=True)

    def delete(self, *args: object, **values: object) -> tuple[int, dict[str, int]]:
        raise TypeError("What was recorded is never deleted.")
