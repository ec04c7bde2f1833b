"""What the autoscaler decided, and why: the changes it made and those it held back."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from endpoints.models.online import OnlineDeployment


class ScalingDecision(models.Model):
    """One decision. The same decision not to act, again and again, is one row with `times` and `last_at`.

    cause: `endpoints.control.autoscale.Cause`. before: instances there were; wanted: that it came to; given: that there
    were afterwards: `before` where it was held back, less than `wanted` where quota allowed no more.
    """

    deployment = models.ForeignKey(OnlineDeployment, on_delete=models.CASCADE, related_name="scaling_decisions")
    at = models.DateTimeField()
    last_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    cause = models.CharField(max_length=16)
    before = models.IntegerField()
    wanted = models.IntegerField()
    given = models.IntegerField()
    reason = models.TextField(blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    operation = models.ForeignKey(
        "endpoints.Operation", null=True, on_delete=models.SET_NULL, related_name="scaling_decisions"
    )

    class Meta:
        indexes = [models.Index(fields=["deployment", "-at", "-id"], name="scaling_decision_newest")]

    def __str__(self) -> str:
        return f"{self.deployment}: {self.before} to {self.given} ({self.cause})"

    @property
    def is_applied(self) -> bool:
        return self.given != self.before
