"""What instances use of the host, measured between two looks: processes by the kernel, containers by their engine.

Knows no rows: process ids or a studio's id in, shares of a core out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import psutil

from endpoints.backends.base import Permanent, Temporary
from endpoints.backends.docker_usage import Spent, spent

logger = logging.getLogger(__name__)
LOOKS_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and all it started, or of a container.

    cores: CPU seconds a second since the last look. memory_bytes: now. gpu, gpu_memory: parts of the GPUs a container
    was given, None where it has none. gpu_joules: what they drew since the last look, None where they do not tell.
    scratch: part of a container's own scratch that is in use, None where that is not known.
    """

    cores: float
    memory_bytes: int
    gpu: float | None = None
    gpu_memory: float | None = None
    gpu_joules: float | None = None
    scratch: float | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    cpu_seconds: dict[tuple[int, float], float]  # by process id and the moment it was started


class Meter:
    """Remembers the last look at every process, because CPU is only known between two."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look] = {}
        self._lock = threading.Lock()

    def measure(self, pids: Iterable[int]) -> dict[int, Usage]:
        """The usage of each process that is there and was looked at before; the others are known from now on."""
        with self._lock:
            before, self._looks = self._looks, {}
            found = {}
            for pid in pids:
                usage = self._one(pid, before.get(pid))
                if usage is not None:
                    found[pid] = usage
            return found

    def _one(self, pid: int, before: _Look | None) -> Usage | None:
        seconds: dict[tuple[int, float], float] = {}
        memory_bytes = 0
        try:
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                try:
                    with process.oneshot():
                        times = process.cpu_times()
                        seconds[process.pid, process.create_time()] = times.user + times.system
                        memory_bytes += _memory_bytes(process)
                except psutil.Error:
                    continue
        except psutil.Error:
            return None
        look = self._looks[pid] = _Look(time.monotonic(), seconds)
        if before is None or look.at <= before.at:
            return None
        # A process that was born since spent all of its time since.
        used = sum(spent - before.cpu_seconds.get(process, 0.0) for process, spent in seconds.items())
        return Usage(cores=max(used, 0.0) / (look.at - before.at), memory_bytes=memory_bytes)


class ContainerMeter:
    """The same for all containers of a studio; an engine that is away has none."""

    def __init__(self, count: Callable[[str], Mapping[str, Spent]] = spent) -> None:
        self._count = count
        self._looks: Mapping[str, Spent] = {}
        self._lock = threading.Lock()

    def measure(self, studio_id: str) -> dict[str, Usage]:
        """By instance, of each that was there at the last look too."""
        with self._lock:
            try:
                before, self._looks = self._looks, self._count(studio_id)
            except (Temporary, Permanent) as trouble:
                logger.warning("What containers use cannot be measured: %s", trouble)
                return {}
            pairs = ((instance, now, before.get(instance)) for instance, now in self._looks.items())
            return {
                instance: Usage(
                    cores=max(now.cpu_seconds - then.cpu_seconds, 0.0) / (now.at - then.at),
                    memory_bytes=now.memory_bytes,
                    gpu=now.gpu,
                    gpu_memory=now.gpu_memory,
                    gpu_joules=_joules(then, now),
                    scratch=now.scratch,
                )
                for instance, now, then in pairs
                if then is not None and now.at > then.at
            }


def _joules(then: Spent, now: Spent) -> float | None:
    """Energy between two looks at what is drawn; of looks too far apart nothing is known in between."""
    if then.gpu_watts is None or now.gpu_watts is None or now.at - then.at > LOOKS_WITHIN_S:
        return None
    return (then.gpu_watts + now.gpu_watts) / 2 * (now.at - then.at)


def _memory_bytes(process: psutil.Process) -> int:
    """Its fair share of what it has in memory: pages that workers share by fork count once among them."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)
