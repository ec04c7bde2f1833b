"""The gateway beside nginx and Traefik: same request, same static upstream.

Each peer gets one core; the load and the upstream share the other one.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.data_plane.figures import Row, added_latency, idle_connections, many_endpoints, route_change, row
from benchmarks.data_plane.load import Run, drive, summary
from benchmarks.data_plane.peers import Gateway, Nginx, Peer, Traefik, Upstream

TARGETS = {"nginx": 0.7, "traefik": 2.5}


def measure(root: Path, *, seconds: float, runs: int) -> list[Row]:
    """All figures of the gateway."""
    rows: list[Row] = []
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(root / "upstream"))
        nginx = stack.enter_context(Nginx(root / "nginx", upstream))
        gateway = stack.enter_context(Gateway(root / "gateway", upstream))
        peers: list[Peer] = [nginx, gateway]
        if traefik := Traefik.installed(root):
            peers.append(stack.enter_context(Traefik(root / "traefik", upstream, traefik)))
        for connections in (16, 256):
            rows += _compare(peers, connections=connections, seconds=seconds, runs=runs)
        varied = _compare([nginx, gateway], connections=16, seconds=seconds, runs=runs, is_varied=True)
        print(
            "   (every request and every answer with a head of its own: ",
            *(one["ratio"] for one in varied),
            "of nginx; no target)",
        )
        rows += added_latency(upstream, nginx, gateway, seconds=seconds, runs=runs)
        rows += many_endpoints(root, upstream, seconds=seconds, runs=runs)
        rows += route_change(root, upstream)
        rows += idle_connections(root, upstream)
    return rows


def _compare(peers: list[Peer], *, connections: int, seconds: float, runs: int, is_varied: bool = False) -> list[Row]:
    """Alternating runs of all peers; the gateway's rate against the others'."""
    found: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    for peer in peers:
        drive(peer, connections=connections, seconds=1, is_varied=is_varied)
    for _ in range(runs):
        for peer in peers:
            found[peer.name].append(drive(peer, connections=connections, seconds=seconds, is_varied=is_varied))
    print(f"   {connections} connections{', varied heads' if is_varied else ''}, {runs} runs of {seconds:g} s")
    for name, mine in found.items():
        print(f"   {name:8} {summary(mine)}")
    rate = {name: median(run.rate for run in mine) for name, mine in found.items()}
    return [
        row(
            f"requests/s of the gateway against {name}, {connections} connections",
            rate["gateway"] / rate[name],
            TARGETS[name],
            "higher",
        )
        for name in rate
        if name in TARGETS
    ]
