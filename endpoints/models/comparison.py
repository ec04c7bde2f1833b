"""What became of pairs of answers: which comparison is under way, its counts, its differing fields, its worst pairs.

A comparison is begun by `endpoints.services`; everything it found is written by `endpoints.telemetry` only.
"""

from __future__ import annotations

from django.db import models

from endpoints.models.online import OnlineEndpoint
from endpoints.models.telemetry import Rollup


class Comparison(models.Model):
    """The comparison of an endpoint that is under way, or the last one there was. A new one takes its place.

    rules: what decided its verdicts (`endpoints.spec.comparison.verdict_rules`). revision: the shadow's when it began.
    """

    endpoint = models.OneToOneField(OnlineEndpoint, on_delete=models.CASCADE, related_name="compared")
    shadow = models.CharField(max_length=32)
    revision = models.IntegerField()
    rules = models.JSONField(default=dict)
    started_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.endpoint.name}: {self.shadow} since {self.started_at:%Y-%m-%d %H:%M}"


class ComparisonRollup(Rollup):
    """Pairs by verdict (`endpoints.spec.agreement.Kind`) and its reason.

    live_latency, shadow_latency: of whole answers. slower, faster: by how much the shadow was, over both answers of a
    pair.
    """

    KEY = ("endpoint", "live", "shadow", "kind", "reason")
    SUMS = ("pairs",)
    HISTOGRAMS = ("live_latency", "shadow_latency", "slower", "faster")

    endpoint = models.CharField(max_length=32)
    live = models.CharField(max_length=32, blank=True)  # "": of pairs that were left out
    shadow = models.CharField(max_length=32)
    kind = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, blank=True)
    pairs = models.BigIntegerField()
    live_latency = models.BinaryField()
    shadow_latency = models.BinaryField()
    slower = models.BinaryField()
    faster = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain_s", "endpoint", "start_s", "live", "shadow", "kind", "reason"],
                name="comparison_rollup_unique",
            )
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="comparison_rollup_slot")]


class DifferingField(models.Model):
    """A place at which answers differed, without the indexes of lists; "" stands for all there was no room for.

    sizes: a histogram of the distances of numbers, in thousandths of a millionth.
    """

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="fields")
    path = models.CharField(max_length=255, blank=True)
    pairs = models.BigIntegerField()
    sizes = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comparison", "path"], name="differing_field_unique")]

    def __str__(self) -> str:
        return f"{self.path or 'other fields'}: {self.pairs}"


class ComparisonExample(models.Model):
    """One of the worst pairs, whole. differences: (path, live, shadow, size) as texts, None for what is missing."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="examples")
    live = models.CharField(max_length=32)
    kind = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, blank=True)
    divergence = models.FloatField()
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64)
    live_status = models.SmallIntegerField()
    shadow_status = models.SmallIntegerField()
    live_us = models.BigIntegerField()
    shadow_us = models.BigIntegerField()
    live_revision = models.IntegerField()
    shadow_revision = models.IntegerField()
    live_type = models.CharField(max_length=100, blank=True)
    shadow_type = models.CharField(max_length=100, blank=True)
    live_body = models.BinaryField()
    shadow_body = models.BinaryField()
    request_body = models.BinaryField(null=True)
    difference_count = models.IntegerField()
    differences = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["comparison", "kind", "-divergence", "-at"], name="comparison_example_worst")]

    def __str__(self) -> str:
        return f"{self.kind} {self.request_id}"
