"""The figures beside raw speed: added latency, large route tables, how soon a change is served, idle connections."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from benchmarks.data_plane.load import Run, drive
from benchmarks.data_plane.peers import Gateway, Peer

ENDPOINTS = 5000
CHANGES = 100
IDLE_CONNECTIONS = 10_000
BURST_CONNECTIONS = 64
FEW_CONNECTIONS = (1, 2, 3, 4, 6, 8)
_REQUEST = b"POST /%b/score HTTP/1.1\r\nhost: g\r\nauthorization: Bearer the-key\r\ncontent-length: 2\r\n\r\n{}"
Row = dict[str, object]


def row(what: str, value: float, target: float, better: str) -> Row:
    """As the result file has it."""
    return {"what": what, "ratio": round(value, 3), "target": target, "better": better}


def added_latency(upstream: Peer, nginx: Peer, gateway: Gateway, *, seconds: float, runs: int) -> list[Row]:
    """p99 through the gateway at half of its full rate, less the upstream's own.

    Half the rate is what few enough connections make that do not pause. With pauses wrk comes in bursts, for it counts
    them in whole milliseconds: that is printed too, for it shows what waiting behind one's own burst costs.
    """
    peers = (upstream, nginx, gateway)
    full = median(drive(gateway, connections=BURST_CONNECTIONS, seconds=seconds).rate for _ in range(3))
    few = next((n for n in FEW_CONNECTIONS if drive(gateway, connections=n, seconds=seconds).rate >= full / 2), 8)
    steady = _p99(peers, connections=few, seconds=seconds, runs=runs)
    _p99(peers, connections=BURST_CONNECTIONS, seconds=seconds, runs=runs, pause_ms=BURST_CONNECTIONS / full * 2000)
    return [row("p99 added at half load, ms", steady["gateway"] - steady["upstream"], 1.0, "lower")]


def _p99(
    peers: Sequence[Peer], *, connections: int, seconds: float, runs: int, pause_ms: float = 0
) -> dict[str, float]:
    """The median of each peer's, in alternating runs."""
    found: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    for _ in range(runs):
        for peer in peers:
            found[peer.name].append(drive(peer, connections=connections, seconds=seconds, pause_ms=pause_ms))
    middle = {name: median(run.p99_ms for run in taken) for name, taken in found.items()}
    told = [f"{name} {middle[name]:.3f} ms at {median(run.rate for run in found[name]):.0f}/s" for name in found]
    print(f"   {connections} connections{f', pauses of {pause_ms:.1f} ms' if pause_ms else ''}: p99 {', '.join(told)}")
    return middle


def many_endpoints(root: Path, upstream: Peer, *, seconds: float, runs: int) -> list[Row]:
    """The rate with 5,000 endpoints in the table against that with one, in alternating runs.

    Many fresh pairs, and each of the two is started first in half of them: the first is some percent faster.
    """
    sizes = [("one", 0), ("many", ENDPOINTS)]
    rates: dict[str, list[float]] = {name: [] for name, _ in sizes}
    for number in range(2 * runs):
        with ExitStack() as stack:
            pair = [
                (name, stack.enter_context(Gateway(root / f"{name}-{number}", upstream, endpoints=size)))
                for name, size in sizes
            ]
            for _, peer in pair:
                drive(peer, connections=16, seconds=1)
            for name, peer in (*pair, *reversed(pair)):
                rates[name].append(drive(peer, connections=16, seconds=seconds / 2).rate)
        sizes.reverse()
    few_rate, many_rate = median(rates["one"]), median(rates["many"])
    print(f"   {ENDPOINTS} endpoints: {many_rate:.0f} requests/s, one endpoint: {few_rate:.0f}")
    return [row(f"requests/s with {ENDPOINTS} endpoints against one", many_rate / few_rate, 0.97, "higher")]


def route_change(root: Path, upstream: Peer) -> list[Row]:
    """From the moment the file is in place until a request is served by it."""
    delays: list[float] = []
    with (
        Gateway(root / "changing", upstream, endpoints=ENDPOINTS) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port)) as client,
    ):
        for number in range(CHANGES):
            name = f"new-{number}"
            gateway.publish(gateway.endpoint(name))
            began = time.monotonic()
            while b" 200 " not in _ask(client, name):
                time.sleep(0.001)
            delays.append((time.monotonic() - began) * 1000)
    p99 = quantiles(delays, n=100)[98]
    print(f"   route change with {ENDPOINTS} endpoints: median {median(delays):.1f} ms, p99 {p99:.1f} ms")
    return [row("route change visible, p99 ms", p99, 100, "lower")]


def _ask(client: socket.socket, name: str) -> bytes:
    client.sendall(_REQUEST % name.encode())
    return client.recv(65536)


def idle_connections(root: Path, upstream: Peer) -> list[Row]:
    """Memory of the gateway with ten thousand connections that have each made one request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE_CONNECTIONS, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    with Gateway(root / "idle", upstream) as gateway:
        before = gateway.memory_mib()
        after = asyncio.run(_hold(gateway, count))
    print(f"   {count} idle connections: {after:.0f} MiB in all, {before:.0f} before")
    return [row(f"MiB with {count} idle connections", after, 300, "lower")]


async def _hold(gateway: Gateway, count: int) -> float:
    held = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(_REQUEST % b"sample")
        await reader.readuntil(b"\r\n\r\n")
        held.append(writer)
    memory = gateway.memory_mib()
    for writer in held:
        writer.close()
    return memory
