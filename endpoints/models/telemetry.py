"""What was measured, in slots of time: rows of the same key merge exactly, so coarser slots are made of finer ones.

Times are Unix seconds. Things are named by name: what was measured outlives what it was measured on. Written by
`endpoints.telemetry` only.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Rollup(models.Model):
    """One slot of `grain_s` seconds from `start_s` on, for one key.

    KEY: the dimensions. SUMS merge by addition, PEAKS by the larger, HISTOGRAMS (`endpoints.telemetry.packing`) bucket
    by bucket.
    """

    KEY: ClassVar[tuple[str, ...]] = ()
    SUMS: ClassVar[tuple[str, ...]] = ()
    PEAKS: ClassVar[tuple[str, ...]] = ()
    HISTOGRAMS: ClassVar[tuple[str, ...]] = ()

    grain_s = models.SmallIntegerField()
    start_s = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        key = "/".join(str(getattr(self, name)) for name in self.KEY)
        return f"{type(self).__name__} {key} {self.start_s}+{self.grain_s}"


class TrafficRollup(Rollup):
    """Requests. Dimensions as in `endpoints.spec.counters.SeriesKey`, without the instance."""

    KEY = ("endpoint", "deployment", "status", "model_status", "reason", "is_mirror")
    SUMS = ("requests", "request_bytes", "response_bytes")
    HISTOGRAMS = ("latency", "model_latency")

    endpoint = models.CharField(max_length=32, blank=True)  # "": what reached no endpoint
    deployment = models.CharField(max_length=32, blank=True)
    status = models.SmallIntegerField()
    model_status = models.SmallIntegerField()
    reason = models.CharField(max_length=64, blank=True)
    is_mirror = models.BooleanField()
    requests = models.BigIntegerField()
    request_bytes = models.BigIntegerField()
    response_bytes = models.BigIntegerField()
    latency = models.BinaryField()
    model_latency = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "grain_s",
                    "endpoint",
                    "start_s",
                    "deployment",
                    "status",
                    "model_status",
                    "reason",
                    "is_mirror",
                ],
                name="traffic_rollup_unique",
            )
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="traffic_rollup_slot")]


class GaugeRollup(Rollup):
    """How busy a deployment was. in_flight_ms, queued_ms: requests times the milliseconds they were so."""

    KEY = ("endpoint", "deployment")
    SUMS = ("in_flight_ms", "queued_ms")
    PEAKS = ("peak_in_flight", "peak_queued", "limit")

    endpoint = models.CharField(max_length=32)
    deployment = models.CharField(max_length=32)
    in_flight_ms = models.BigIntegerField()
    queued_ms = models.BigIntegerField()
    peak_in_flight = models.IntegerField()
    peak_queued = models.IntegerField()
    limit = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grain_s", "endpoint", "start_s", "deployment"], name="gauge_rollup_unique")
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="gauge_rollup_slot")]


class ConnectionRollup(Rollup):
    """Connections of clients to all gateways: they belong to no endpoint. open_ms: connections times milliseconds."""

    SUMS = ("open_ms", "accepted")

    open_ms = models.BigIntegerField()
    accepted = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["grain_s", "start_s"], name="connection_rollup_unique")]


class InstanceRollup(Rollup):
    """What an instance used, in hundredths of a percent of what its instance type gives it; sums over `samples`.

    peak_spare_…: the most that was left over at once, so 10,000 less it was the least in use. gpu_samples: looks at
    an instance that has GPUs; energy_samples: those that told what the GPUs drew since the one before.
    """

    KEY = ("endpoint", "deployment", "instance")
    SUMS = (
        *("samples", "cpu", "memory", "gpu_samples", "gpu", "gpu_memory"),
        *("energy_samples", "gpu_millijoules"),
    )
    PEAKS = (
        *("peak_cpu", "peak_memory", "peak_spare_cpu", "peak_spare_memory"),
        *("peak_gpu", "peak_gpu_memory", "peak_spare_gpu", "peak_spare_gpu_memory"),
    )

    endpoint = models.CharField(max_length=32)
    deployment = models.CharField(max_length=32)
    instance = models.CharField(max_length=64)
    samples = models.IntegerField()
    cpu = models.BigIntegerField()
    memory = models.BigIntegerField()
    gpu_samples = models.IntegerField(default=0)
    gpu = models.BigIntegerField(default=0)
    gpu_memory = models.BigIntegerField(default=0)
    energy_samples = models.IntegerField(default=0)
    gpu_millijoules = models.BigIntegerField(default=0)
    peak_cpu = models.IntegerField()
    peak_memory = models.IntegerField()
    peak_spare_cpu = models.IntegerField(default=0)
    peak_spare_memory = models.IntegerField(default=0)
    peak_gpu = models.IntegerField(default=0)
    peak_gpu_memory = models.IntegerField(default=0)
    peak_spare_gpu = models.IntegerField(default=0)
    peak_spare_gpu_memory = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain_s", "endpoint", "start_s", "deployment", "instance"], name="instance_rollup_unique"
            )
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="instance_rollup_slot")]


class DiskRollup(Rollup):
    """What is in use of the space an instance may write to, in hundredths of a percent; sums over `samples`.

    disk: "work", the filesystem of a process's own folder, which others may fill too; "scratch", what a container has
    for itself. peak_spare_space: the most that was free at once.
    """

    KEY = ("endpoint", "deployment", "instance", "disk")
    SUMS = ("samples", "space")
    PEAKS = ("peak_space", "peak_spare_space")

    endpoint = models.CharField(max_length=32)
    deployment = models.CharField(max_length=32)
    instance = models.CharField(max_length=64)
    disk = models.CharField(max_length=10)
    samples = models.IntegerField()
    space = models.BigIntegerField()
    peak_space = models.IntegerField()
    peak_spare_space = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain_s", "endpoint", "start_s", "deployment", "instance", "disk"], name="disk_rollup_unique"
            )
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="disk_rollup_slot")]


class CapacityRollup(Rollup):
    """The most instances of a deployment that were in `state` at once."""

    KEY = ("endpoint", "deployment", "state")
    PEAKS = ("instances",)

    endpoint = models.CharField(max_length=32)
    deployment = models.CharField(max_length=32)
    state = models.CharField(max_length=10)
    instances = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain_s", "endpoint", "start_s", "deployment", "state"], name="capacity_rollup_unique"
            )
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="capacity_rollup_slot")]


class HoldRollup(Rollup):
    """Requests that waited for a deployment to wake. cold_starts: wakings; held: requests that were answered after all;
    given_up: that were not; hold: how long they waited."""

    KEY = ("endpoint", "deployment")
    SUMS = ("cold_starts", "held", "given_up")
    HISTOGRAMS = ("hold",)

    endpoint = models.CharField(max_length=32)
    deployment = models.CharField(max_length=32)
    cold_starts = models.IntegerField()
    held = models.BigIntegerField()
    given_up = models.BigIntegerField()
    hold = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grain_s", "endpoint", "start_s", "deployment"], name="hold_rollup_unique")
        ]
        indexes = [models.Index(fields=["grain_s", "start_s"], name="hold_rollup_slot")]


class CounterReceipt(models.Model):
    """A batch of counters that has been added; written in the transaction that adds it, so it is never added twice."""

    batch_id = models.CharField(primary_key=True, max_length=128)
    taken_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.batch_id


class StaleSlot(models.Model):
    """A slot of a coarser grain to make (again) from the finer rows below it, which have changed."""

    grain_s = models.SmallIntegerField()
    start_s = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["grain_s", "start_s"], name="stale_slot_unique")]

    def __str__(self) -> str:
        return f"{self.start_s}+{self.grain_s}"


class TelemetryLock(models.Model):
    """One row. Whoever writes rollups holds it, so that no slot is made while something is added below it."""

    def __str__(self) -> str:
        return "telemetry lock"
