"""Guarded rollouts: what was planned, how far it came, and the evidence of how it ended. Written by services only."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from endpoints.models.online import OnlineEndpoint
from endpoints.spec.states import RolloutState, StepState


class Rollout(models.Model):
    """One rollout; at most one of an endpoint is under way.

    number: counts an endpoint's rollouts. document: a `RolloutDocument`. split_before: what a breach returns to.
    baseline: the old deployment's last measured values by metric. reason: `control.canary.Reason`, "" where it passed.
    text: how it ended or what it waits for. evidence: of a breach, see `services.rollout_evidence`.
    """

    endpoint = models.ForeignKey(OnlineEndpoint, on_delete=models.CASCADE, related_name="rollouts")
    number = models.IntegerField()
    from_deployment = models.CharField(max_length=32)
    to_deployment = models.CharField(max_length=32)
    document = models.JSONField()
    split_before = models.JSONField()
    baseline = models.JSONField(default=dict)
    state = models.CharField(max_length=10, default=RolloutState.RUNNING)
    stage = models.IntegerField(default=0)  # index of the stage that runs, or ran last
    reason = models.CharField(max_length=20, blank=True)
    text = models.TextField(blank=True)
    evidence = models.JSONField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="rollout_number_unique"),
            models.UniqueConstraint(
                fields=["endpoint"], condition=models.Q(finished_at=None), name="rollout_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"rollout {self.number} of {self.endpoint.name}"


class RolloutStage(models.Model):
    """One stage as it went. is_bake: the time after the last one, before the old deployment goes.

    paused_s: pauses that are over; paused_at: of the one that lasts. figures: both deployments at its end, and
    a chart.
    """

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="stages")
    number = models.IntegerField()
    percent = models.IntegerField()
    seconds = models.IntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    is_bake = models.BooleanField(default=False)
    state = models.CharField(max_length=10, default=StepState.PENDING)
    detail = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_s = models.FloatField(default=0)
    figures = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="rollout_stage_unique")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"stage {self.number + 1} of {self.rollout}"

    @property
    def title(self) -> str:
        """What the stage is, in a few words."""
        lasts = [_words(self.seconds)] if self.seconds else []
        lasts += [f"{self.requests} requests"] if self.requests else []
        return f"{self.percent} % {'to bake ' if self.is_bake else ''}for {' and '.join(lasts) or '0 s'}"


def _words(seconds: int) -> str:
    """300 -> "5 min", in the largest unit it is whole in."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"
