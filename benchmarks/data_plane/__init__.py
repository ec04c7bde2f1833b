"""The gateway beside nginx and Traefik: same request, same static upstream, alternating runs, medians.

Each peer gets one core; the load and the upstream share the other one. `SLIPWAY_BENCH_SECONDS` and `SLIPWAY_BENCH_RUNS`
shorten or lengthen it. Writes `benchmarks/out/data_plane.json`.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.data_plane.figures import added_latency, idle_connections, many_endpoints, route_change
from benchmarks.data_plane.load import Run, drive
from benchmarks.data_plane.peers import Gateway, Nginx, Peer, Traefik, Upstream

SECONDS = float(os.environ.get("SLIPWAY_BENCH_SECONDS", "4"))
RUNS = int(os.environ.get("SLIPWAY_BENCH_RUNS", "5"))
OUT = Path(__file__).parent.parent / "out" / "data_plane.json"


def main() -> None:
    """Measure all figures of the data plane."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        upstream = stack.enter_context(Upstream(root / "upstream"))
        nginx = stack.enter_context(Nginx(root / "nginx", upstream))
        gateway = stack.enter_context(Gateway(root / "gateway", upstream))
        peers: list[Peer] = [nginx, gateway]
        if traefik := Traefik.installed(root):
            peers.append(stack.enter_context(Traefik(root / "traefik", upstream, traefik)))
        for connections in (16, 256):
            rows += compare(peers, connections=connections)
        varied = compare([nginx, gateway], connections=16, is_varied=True)
        print(
            "   (every request and every answer with a head of its own: ",
            *(row["ratio"] for row in varied),
            "of nginx; no target)",
        )
        rows += added_latency(upstream, nginx, gateway, seconds=SECONDS, runs=RUNS)
        rows += many_endpoints(root, upstream, seconds=SECONDS, runs=RUNS)
        rows += route_change(root, upstream)
        rows += idle_connections(root, upstream)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def compare(peers: list[Peer], *, connections: int, is_varied: bool = False) -> list[dict[str, object]]:
    """Alternating runs of all peers; the gateway's rate against the others'."""
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    for peer in peers:
        drive(peer, connections=connections, seconds=1, is_varied=is_varied)
    for _ in range(RUNS):
        for peer in peers:
            runs[peer.name].append(drive(peer, connections=connections, seconds=SECONDS, is_varied=is_varied))
    print(f"   {connections} connections{', varied heads' if is_varied else ''}, {RUNS} runs of {SECONDS:g} s")
    for name, mine in runs.items():
        print(f"   {name:8} {summary(mine)}")
    rate = {name: median(run.rate for run in mine) for name, mine in runs.items()}
    targets = {"nginx": 0.7, "traefik": 2.5}
    return [
        {
            "what": f"requests/s of the gateway against {name}, {connections} connections",
            "ratio": round(rate["gateway"] / rate[name], 3),
            "target": targets[name],
            "better": "higher",
        }
        for name in rate
        if name in targets
    ]


def summary(runs: list[Run]) -> str:
    """One line of medians."""
    return (
        f"{median(run.rate for run in runs):9.0f} requests/s   p50 {median(run.p50_ms for run in runs):7.3f} ms   "
        f"p99 {median(run.p99_ms for run in runs):7.3f} ms   CPU {median(run.cpu_us for run in runs):5.1f} us each   "
        f"{median(run.memory_mib for run in runs):5.0f} MiB"
    )
