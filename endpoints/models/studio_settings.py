"""What admins set for the whole studio, and every change of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class StudioSetting(models.Model):
    """A setting that was changed from its default; those without a row have it. Names: `spec.studio_settings`."""

    name = models.CharField(primary_key=True, max_length=64)
    value = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class SettingChange(models.Model):
    """One change, kept for good. is_reset: it went back to the default."""

    name = models.CharField(max_length=64, db_index=True)
    before = models.BigIntegerField()
    after = models.BigIntegerField()
    is_reset = models.BooleanField(default=False)
    note = models.TextField(blank=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.before} to {self.after}"
