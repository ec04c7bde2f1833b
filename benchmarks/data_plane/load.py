"""One run of wrk against a peer: rate, latency, and what the peer's processes spent on it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.data_plane.peers import LOAD_CORE, Peer, pinned

BODY = (Path(__file__).parents[2] / "samples" / "diabetes" / "sample-request.json").read_text(encoding="utf-8").strip()
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    memory_mib: float
    errors: int


def _script(*, is_varied: bool, pause_ms: float) -> str:
    lines = [
        'wrk.method = "POST"',
        f"wrk.body = [==[{BODY}]==]",
        'wrk.headers["Content-Type"] = "application/json"',
        'wrk.headers["Authorization"] = "Bearer the-key"',
    ]
    if is_varied:
        lines += [
            "local n = 0",
            'function request() n = n + 1; wrk.headers["traceparent"] = "00-" .. n .. "-01"; return wrk.format() end',
        ]
    if pause_ms:
        lines.append(f"function delay() return math.random(0, {round(2 * pause_ms)}) end")
    return "\n".join(lines)


def drive(peer: Peer, *, connections: int, seconds: float, is_varied: bool = False, pause_ms: float = 0) -> Run:
    """Load `peer`; with a pause each connection waits that long on average between two requests."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as script:
        script.write(_script(is_varied=is_varied, pause_ms=pause_ms))
    whole = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--latency", "-s", script.name, peer.url]
    before = peer.cpu_seconds()
    done = subprocess.run(pinned(command, LOAD_CORE), capture_output=True, text=True, check=True)
    spent = peer.cpu_seconds() - before
    Path(script.name).unlink()
    run = _read(done.stdout, spent, peer.memory_mib())
    if run.errors:
        raise RuntimeError(f"{peer.name} failed {run.errors} requests: {done.stdout}")
    return run


def _read(text: str, cpu_seconds: float, memory_mib: float) -> Run:
    total = int(_find(r"(\d+) requests in", text))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Run(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", text)),
        p50_ms=_latency("50%", text),
        p99_ms=_latency("99%", text),
        cpu_us=cpu_seconds * 1e6 / max(1, total),
        memory_mib=memory_mib,
        errors=(int(bad[1]) if bad else 0) + (sum(map(int, broken.groups())) if broken else 0),
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk said nothing about {pattern}: {text}")
    return found[1]


def _latency(percent: str, text: str) -> float:
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s|m)\b", text)
    if found is None:
        raise RuntimeError(f"wrk gave no latencies: {text}")
    return float(found[1]) * _UNITS[found[2]]


def summary(runs: list[Run]) -> str:
    """One line of medians."""
    return (
        f"{median(run.rate for run in runs):9.0f} requests/s   p50 {median(run.p50_ms for run in runs):7.3f} ms   "
        f"p99 {median(run.p99_ms for run in runs):7.3f} ms   CPU {median(run.cpu_us for run in runs):5.1f} us each   "
        f"{median(run.memory_mib for run in runs):5.0f} MiB"
    )
