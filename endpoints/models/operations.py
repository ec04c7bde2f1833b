"""Operations: every accepted change as something to follow, with timed steps."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Operation(models.Model):
    """Who asked for what, when, and how it went. It outlives what it was done to, so it names things by name.

    kind: CreateDeployment, UpdateDeployment, DeleteDeployment, CreateEndpoint, UpdateEndpoint, DeleteEndpoint, …
    generation: of the target after the change; the operation ends when that generation is observed.
    failure: `Failure` as JSON.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)
    endpoint_name = models.CharField(max_length=32, db_index=True)
    deployment_name = models.CharField(max_length=32, blank=True)
    generation = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, default="Running")
    summary = models.TextField(blank=True)
    failure = models.JSONField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.endpoint_name}/{self.deployment_name}"


class OperationStep(models.Model):
    """One step: `title` as a person reads it, `detail` what came of it ("cached", "2 of 5")."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    order = models.IntegerField()
    key = models.CharField(max_length=32)  # quota, environment, staged, started, ready, …
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10, default="Pending")
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["operation", "key"], name="step_key_unique")]

    def __str__(self) -> str:
        return self.title
