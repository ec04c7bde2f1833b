"""Lines of what instances use of what they were given, and of how many there are in which state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from endpoints.telemetry.lines import Labels, Line, lines_of
from endpoints.telemetry.readings import Disk, Readings, Used

# Rows that belong to a metric, each with its labels.
Rows = Callable[[Readings], Iterable[tuple[Labels, Used | Disk]]]


def computing(readings: Readings) -> Iterable[tuple[Labels, Used]]:
    """Processor and memory, of every instance."""
    return ((_instance(row), row) for row in readings.used if row.samples)


def with_gpus(readings: Readings) -> Iterable[tuple[Labels, Used]]:
    """Of instances that have GPUs."""
    return ((_instance(row), row) for row in readings.used if row.gpu_samples)


def disks(readings: Readings) -> Iterable[tuple[Labels, Disk]]:
    """Of every disk of an instance."""
    return (
        ((("deployment", row.deployment), ("disk", row.disk), ("instanceId", row.instance)), row)
        for row in readings.disks
    )


def _instance(row: Used) -> Labels:
    return (("deployment", row.deployment), ("instanceId", row.instance))


def mean_used(readings: Readings, *, rows: Rows, amount: str, samples: str = "samples") -> list[Line]:
    """Mean percent over the samples of a step."""
    sums: dict[Labels, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for labels, row in rows(readings):
        place = sums[labels][row.start_s]
        place[0] += getattr(row, amount)
        place[1] += getattr(row, samples)
    values = {
        labels: {start: total / count / 100 for start, (total, count) in steps.items()}
        for labels, steps in sums.items()
    }
    return lines_of(readings, values, zero=False)


def most_used(readings: Readings, *, rows: Rows, peak: str) -> list[Line]:
    """The highest percent seen in a step."""
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for labels, row in rows(readings):
        steps = values[labels]
        steps[row.start_s] = max(steps[row.start_s], getattr(row, peak) / 100)
    return lines_of(readings, values, zero=False)


def least_used(readings: Readings, *, rows: Rows, spare: str) -> list[Line]:
    """The lowest percent seen in a step."""
    values: dict[Labels, dict[int, float]] = defaultdict(dict)
    for labels, row in rows(readings):
        least = max(0.0, 100 - getattr(row, spare) / 100)
        steps = values[labels]
        steps[row.start_s] = min(steps.get(row.start_s, least), least)
    return lines_of(readings, values, zero=False)


def gpu_energy(readings: Readings) -> list[Line]:
    """Joules of a step, of instances whose GPUs tell what they draw."""
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.used:
        if row.energy_samples:
            values[_instance(row)][row.start_s] += row.gpu_millijoules / 1000
    return lines_of(readings, values, zero=False)


def capacity(readings: Readings) -> list[Line]:
    """The most instances that were in a state at once.

    Not by instance: one that takes another's place within a step would make two of what was never more than one.
    """
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    seen: set[int] = set()
    for row in readings.capacity:
        start_s = row.start_s
        seen.add(start_s)
        steps = values[("State", row.state), ("deployment", row.deployment)]
        steps[start_s] = max(steps[start_s], float(row.instances))
    # A look that saw one state and not another saw none in that other.
    for steps in values.values():
        for start_s in seen - steps.keys():
            steps[start_s] = 0.0
    return lines_of(readings, values, zero=False)
