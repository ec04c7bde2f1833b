"""Uploads under way: bytes received in parts, before they become a stored tree."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Upload(models.Model):
    """A set of files on its way in. Its parts lie in SLIPWAY_HOME/uploads/<id>; abandoned ones are swept away.

    purpose: model, code, environment-context. tree_digest: set when complete.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=24)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)
    received_bytes = models.BigIntegerField(default=0)
    tree_digest = models.CharField(max_length=64, blank=True)
    root_name = models.CharField(max_length=255, blank=True)
    is_folder = models.BooleanField(default=False)
    size_bytes = models.BigIntegerField(default=0)
    file_count = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.id)
