"""What a studio's running containers have used, as the engine counts it; totals, of which two make a rate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import APIError

from endpoints.backends.docker_container import SCRATCH_BYTES
from endpoints.backends.docker_engine import connect, engine_errors
from endpoints.backends.docker_gpus import LABEL, Gpu, gpus_of, read_label

_ANON_V1 = {"total_active_anon", "total_inactive_anon", "total_rss"}


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one container. at: seconds of the engine's clock. gpu, gpu_memory: parts of what it was given, or None.

    gpu_watts: drawn by its GPUs now, of a shared one its part; None where one of them does not tell. scratch: part of
    the space in /tmp, None where the engine does not tell.
    """

    at: float
    cpu_seconds: float
    memory_bytes: int
    gpu: float | None = None
    gpu_memory: float | None = None
    gpu_watts: float | None = None
    scratch: float | None = None


def spent(
    studio_id: str,
    *,
    client: docker.DockerClient | None = None,
    find_gpus: Callable[[Mapping[str, Any]], tuple[Gpu, ...]] = gpus_of,
) -> dict[str, Spent]:
    """By instance. Raises Temporary where the engine does not answer; a container that ends meanwhile is left out."""
    with engine_errors():
        client = client or connect()
        wanted = {"label": [f"slipway.studio={studio_id}"], "status": ["running"]}
        running = client.api.containers(filters=wanted)
        with_gpus = any(each["Labels"].get(LABEL) for each in running)
        gpus = {gpu.id: gpu for gpu in find_gpus(client.info())} if with_gpus else {}
        found = {}
        for each in running:
            with contextlib.suppress(APIError):
                stats = client.api.stats(each["Id"], stream=False, one_shot=True)
                if reading := read(stats, gpus, each["Labels"].get(LABEL, "")):
                    found[each["Labels"]["slipway.instance"]] = reading
        return found


def read(stats: Mapping[str, Any], gpus: Mapping[str, Gpu], label: str) -> Spent | None:
    """One container's numbers; None where it has just ended.

    Memory is counted as `docker stats` does: without what the kernel could drop at once.
    """
    memory, cpu = stats.get("memory_stats") or {}, (stats.get("cpu_stats") or {}).get("cpu_usage") or {}
    if "usage" not in memory or "total_usage" not in cpu:
        return None
    details = memory.get("stats") or {}
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
    parts = read_label(label)
    own = [gpus[id_] for id_ in parts if id_ in gpus]
    watts = [gpu.watts * parts[gpu.id] for gpu in own if gpu.watts is not None]
    return Spent(
        at=datetime.fromisoformat(stats["read"][:26].rstrip("Z")).replace(tzinfo=UTC).timestamp(),
        cpu_seconds=cpu["total_usage"] / 1e9,
        memory_bytes=max(0, memory["usage"] - droppable),
        gpu=sum(gpu.busy for gpu in own) / len(own) if own else None,
        gpu_memory=sum(gpu.memory_used for gpu in own) / max(1.0, sum(gpu.memory for gpu in own)) if own else None,
        gpu_watts=sum(watts) if own and len(watts) == len(parts) else None,
        scratch=_scratch(memory),
    )


def _scratch(memory: Mapping[str, Any]) -> float | None:
    """What lies in /tmp is memory of the container's that no file on a disk stands behind, and counted as such.

    There it shares a name with memory that processes share, so this is the most /tmp can hold. Where a container may
    have less memory than /tmp has room for, that is the bound.
    """
    details = memory.get("stats") or {}
    held = details.get("shmem")
    if held is None and _ANON_V1.issubset(details):
        # The first version of control groups does not name it: it is what could be swapped and is no process's own.
        held = max(0, details["total_active_anon"] + details["total_inactive_anon"] - details["total_rss"])
    room = min(SCRATCH_BYTES, memory.get("limit") or SCRATCH_BYTES)
    return None if held is None else held / room
