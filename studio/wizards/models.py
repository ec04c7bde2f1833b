"""Drafts: what a person has filled in so far, kept for them until they create it or throw it away."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class DeploymentDraft(models.Model):
    """One unfinished deployment of one person.

    answers: what formtools keeps of a wizard: `step`, `step_data` (step -> field -> list of texts), `extra_data`.
    No file is in here: files become an `Upload` as they arrive, and the answers hold its id.
    title: how the list of drafts names it, kept beside the answers so that the list needs no parsing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="deployment_drafts")
    title = models.CharField(max_length=80, blank=True)
    answers = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return self.title or "Untitled deployment"

    @property
    def step(self) -> str:
        """Name of the step the person was at, "" for a draft that was never opened."""
        return str(self.answers.get("step") or "")
