"""What a studio's running containers have used, as the engine counts it; totals, of which two make a rate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import APIError

from endpoints.backends.docker_engine import connect, engine_errors
from endpoints.backends.docker_gpus import LABEL, Gpu, gpus_of, read_label


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one container. at: seconds of the engine's clock. gpu, gpu_memory: parts of what it was given, or None."""

    at: float
    cpu_seconds: float
    memory_bytes: int
    gpu: float | None = None
    gpu_memory: float | None = None


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
    own = [gpus[id_] for id_ in read_label(label) if id_ in gpus]
    return Spent(
        at=datetime.fromisoformat(stats["read"][:26].rstrip("Z")).replace(tzinfo=UTC).timestamp(),
        cpu_seconds=cpu["total_usage"] / 1e9,
        memory_bytes=max(0, memory["usage"] - droppable),
        gpu=sum(gpu.busy for gpu in own) / len(own) if own else None,
        gpu_memory=sum(gpu.memory_used for gpu in own) / max(1.0, sum(gpu.memory for gpu in own)) if own else None,
    )
