"""The GPUs of the engine's host: which there are, which are taken, and which a new container gets.

A whole GPU belongs to one container; parts of one are shared by containers whose parts add up to it at most. Who has
what is read from the containers' labels, so nothing has to be given back. Only NVIDIA's are known.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from shutil import which
from typing import Any

from docker.types import DeviceRequest

from endpoints.backends.base import Permanent
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

LABEL = "slipway.gpus"
_FIELDS = "uuid,name,utilization.gpu,memory.used,memory.total,power.draw"
_HOOK = "nvidia-container-runtime-hook"
_PATIENCE_S = 10
# A third and two thirds of a GPU are a whole one, whatever floats say.
_ALMOST = 1e-6


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU and how busy it is. busy: 0 to 1; memory in MiB; watts: what it draws, None where it does not tell."""

    id: str
    model: str
    busy: float
    memory_used: float
    memory: float
    watts: float | None = None


def ask_driver() -> str:
    """What the host's own tool prints; "" where there is none or it does not work."""
    program = which("nvidia-smi")
    if program is None:
        return ""
    command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def gpus_of(host: Mapping[str, Any], *, ask: Callable[[], str] = ask_driver) -> tuple[Gpu, ...]:
    """The GPUs that containers can be given. host: the engine's `info()`; none where it has no way to hand them out."""
    devices = [str(device.get("ID", "")) for device in host.get("DiscoveredDevices") or ()]
    can_hand_out = (
        any("nvidia" in name for name in host.get("Runtimes") or {})
        or any(device.startswith("nvidia.com/gpu") for device in devices)
        or which(_HOOK) is not None
    )
    return tuple(_read(line) for line in ask().splitlines() if line.count(",") == 5) if can_hand_out else ()


def _read(line: str) -> Gpu:
    id_, model, busy, used, memory, power = (word.strip() for word in line.split(","))
    return Gpu(id_, model, _number(busy) / 100, _number(used), _number(memory), _told(power))


def _number(word: str) -> float:
    return _told(word) or 0.0


def _told(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:  # "[N/A]": some do not tell
        return None


def taken(labels: Iterable[str]) -> dict[str, float]:
    """By id of a GPU: how much of it the containers with these labels have."""
    parts: dict[str, float] = defaultdict(float)
    for label in labels:
        for id_, part in read_label(label).items():
            parts[id_] += part
    return parts


def choose(wanted: float, gpus: Iterable[Gpu], given: Mapping[str, float]) -> dict[str, float]:
    """Id to part. Whole ones are those nobody has; a part comes from the GPU with the least room that suffices.

    Raises Permanent (OutOfQuota) where they do not suffice.
    """
    there = list(gpus)
    if wanted < 1:
        fitting = [gpu.id for gpu in there if given.get(gpu.id, 0.0) + wanted <= 1 + _ALMOST]
        chosen = sorted(fitting, key=lambda id_: -given.get(id_, 0.0))[:1]
    else:
        chosen = [gpu.id for gpu in there if not given.get(gpu.id)][: round(wanted)]
    if len(chosen) < max(1, round(wanted)):
        raise Permanent(_none_left(wanted, len(there)))
    return dict.fromkeys(chosen, min(wanted, 1.0))


def most_more(wanted: float, gpus: Iterable[Gpu], given: Mapping[str, float]) -> int:
    """How many more instances with `wanted` GPUs each there is room for."""
    there, now, count = tuple(gpus), dict(given), 0
    while True:
        try:
            for id_, part in choose(wanted, there, now).items():
                now[id_] = now.get(id_, 0.0) + part
        except Permanent:
            return count
        count += 1


def as_label(parts: Mapping[str, float]) -> str:
    return ",".join(f"{id_}={part:.6f}" for id_, part in sorted(parts.items()))


def read_label(label: str) -> dict[str, float]:
    pairs = (pair.partition("=") for pair in label.split(",") if pair)
    return {id_: _number(part) for id_, _, part in pairs}


def device_requests(parts: Mapping[str, float]) -> list[DeviceRequest]:
    """What `containers.create` takes; a container sees these GPUs and no others."""
    return [DeviceRequest(device_ids=sorted(parts), capabilities=[["gpu"]])]


def _none_left(wanted: float, count: int) -> Failure:
    return Failure(
        code=FailureCode.OUT_OF_QUOTA,
        message=f"An instance needs {wanted:.3g} GPU{'' if wanted <= 1 else 's'}, "
        f"and of this host's {count} not enough are free.",
        advice="Delete or scale down a deployment that has GPUs, or choose a type with a smaller part of one.",
    )
