"""The scoring server beside azureml-inference-server-http and beside a bare loop, on the sample's run().

One worker each, every server in an environment of its own, alternating runs, medians. Who calls run() has a core to
itself; the load and the other processes of a server have the other: with three busy processes on two cores the
scheduler's luck would weigh more than what is compared (--placement free leaves it to the scheduler). Load comes from
wrk where it is on PATH, else from a small asyncio client. Writes out/scoring_server.json.
Usage: python -m benchmarks.scoring_server [--rounds 5] [--seconds 2] [--placement apart|free]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUT = ROOT / "benchmarks" / "out"
WORK = OUT / "scoring_server"
SAMPLE = ROOT / "samples" / "diabetes"
SCRIPT = SAMPLE / "onlinescoring" / "score.py"
BODY = (SAMPLE / "sample-request.json").read_bytes()
ORIGINAL = "azureml-inference-server-http==1.5.1"
FEW, BUSY = 16, 64  # connections
CORES = sorted(os.sched_getaffinity(0))
RUN_CORE, LOAD_CORE = CORES[0], CORES[-1]

BARE_LOOP = """
import importlib.util, json, logging, sys, time
spec = importlib.util.spec_from_file_location("entry_module", sys.argv[1])
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
if sys.argv[4]:
    logging.basicConfig(level=logging.INFO, filename=sys.argv[4])
script.init()
body = open(sys.argv[2]).read()
seconds, calls, begun = float(sys.argv[3]), 0, time.perf_counter()
while time.perf_counter() - begun < seconds:
    for _ in range(20):
        json.dumps(script.run(body))
    calls += 20
print(calls / (time.perf_counter() - begun))
"""
WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("%s"):read("*a")
wrk.headers["Content-Type"] = "application/json"
"""


@dataclass(frozen=True)
class Load:
    """What one run of load showed; times in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Served:
    """A server that answers, by its supervisor's process id."""

    port: int
    pid: int


def environment(name: str, *packages: str) -> Path:
    """The Python of an environment with the sample's packages, made once."""
    folder = WORK / name
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        requirements = ["-r", str(SAMPLE / "requirements.txt"), *packages]
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), *requirements], check=True)
        (folder / "done").touch()
    return python


def below(pid: int) -> list[int]:
    """The process and everything it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *[one for child in children for one in below(int(child))]]


def place(pid: int) -> None:
    """A server's worker on one core, what else there is of it on the other."""
    for one in below(pid):
        is_front = Path(f"/proc/{one}/comm").read_text().strip() == "slipway-front"
        is_worker = below(one) == [one] and not is_front
        for task in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(task.name), {RUN_CORE if is_worker else LOAD_CORE})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(python: Path, arguments: list[str], port: int, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers; it ends with the block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZUREML_", "AML_", "SLIPWAY_"))}
    with (WORK / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), *arguments, "--port", str(port)],
            env={**kept, "AZUREML_MODEL_DIR": str(WORK / "model-root"), "AML_APP_ROOT": str(SCRIPT.parent), **environ},
            stdout=log,
            stderr=log,
            cwd=WORK,
        )
        try:
            wait_for_answer(port, process)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_for_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The server on port {port} did not start; see {WORK / f'{port}.log'}") from None
            time.sleep(0.05)


def load(port: int, *, connections: int, seconds: float, is_apart: bool) -> Load:
    url = f"http://127.0.0.1:{port}/score"
    if shutil.which("wrk"):
        script = WORK / "post.lua"
        script.write_text(WRK_SCRIPT % (SAMPLE / "sample-request.json"))
        whole_s = max(1, round(seconds))
        command = ["taskset", "-c", str(LOAD_CORE)] if is_apart else []
        command += ["wrk", "-t1", f"-c{connections}", f"-d{whole_s}s", "--latency", "-s", str(script), url]
        return parse_wrk(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return asyncio.run(_load(port, connections, seconds))


def parse_wrk(text: str) -> Load:
    """Raises ValueError when answers were wrong or missing."""
    if "Non-2xx" in text:
        raise ValueError(text)
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}

    def latency(percent: str) -> float:
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", text)
        return float(found[1]) * scale[found[2]] if found else float("nan")

    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None:
        raise ValueError(text)
    return Load(float(rate[1]), latency("50"), latency("99"))


async def _load(port: int, connections: int, seconds: float) -> Load:
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    wire = head.encode() + BODY
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader = writer = None
        while time.perf_counter() < end:
            begun = time.perf_counter()
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(wire)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", answer)
            await reader.readexactly(int(length[1]) if length else 0)
            if not answer.startswith(b"http/1.1 200"):
                raise ValueError(answer)
            times.append(time.perf_counter() - begun)
            if b"connection: close" in answer:
                writer.close()
                reader = writer = None

    await asyncio.gather(*[client() for _ in range(connections)])
    ordered = sorted(times)
    return Load(len(times) / seconds, ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000)


def bare_loop(python: Path, seconds: float, log_file: str, *, is_apart: bool) -> float:
    command = ["taskset", "-c", str(RUN_CORE)] if is_apart else []
    command += [str(python), "-c", BARE_LOOP, str(SCRIPT), str(SAMPLE / "sample-request.json"), str(seconds), log_file]
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(WORK / "model-root")}
    return float(subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout)


def resident_mib(pid: int) -> float:
    """Of the process and everything below it."""
    found = [re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text()) for one in below(pid)]
    return sum(int(own[1]) / 1024 for own in found if own)


def prepare() -> tuple[Path, Path]:
    """(the Python of ours, of the original); trains the model and stages the server as the process backend does."""
    WORK.mkdir(parents=True, exist_ok=True)
    ours, original = environment("ours"), environment("original", ORIGINAL)
    if not (WORK / "model-root" / "model").exists():
        subprocess.run([str(ours), str(SAMPLE / "train.py"), str(WORK / "model-root" / "model")], check=True)
    shutil.rmtree(WORK / "staged", ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "endpoints" / "scoring", WORK / "staged" / "slipway_scoring", ignore=skip)
    return ours, original


@contextlib.contextmanager
def started(python: Path, arguments: list[str], *, is_apart: bool, **environ: str) -> Iterator[Served]:
    """A server for one round: how a process lies in memory is luck, and worth several percent."""
    port = free_port()
    with server(python, arguments, port, **environ) as process:
        if is_apart:
            place(process.pid)
        load(port, connections=BUSY, seconds=1, is_apart=is_apart)  # until it runs as it will for the rest of its life
        yield Served(port, process.pid)


def measure(rounds: int, seconds: float, *, is_apart: bool) -> tuple[dict[str, list[Load]], dict[str, float]]:
    """Loads by subject and number of connections; resident MiB by subject."""
    ours, original = prepare()
    own = ["-m", "slipway_scoring", "--entry_script", str(SCRIPT), "--host", "127.0.0.1"]
    staged = {"PYTHONPATH": str(WORK / "staged")}
    quiet = {**staged, "AZUREML_LOG_LEVEL": "WARNING"}
    theirs = ["-m", "azureml_inference_server_http", "--entry_script", str(SCRIPT)]
    servers: dict[str, tuple[Path, list[str], dict[str, str]]] = {
        "ours": (ours, [*own, "--log-file", str(WORK / "ours.jsonl")], staged),
        "original": (original, theirs, {}),
        "ours, log level WARNING": (ours, [*own, "--log-file", str(WORK / "quiet.jsonl")], quiet),
    }
    loops = {"bare loop": str(WORK / "bare.log"), "bare loop, no log": ""}
    found: dict[str, list[Load]] = collections.defaultdict(list)
    memory: dict[str, float] = {}

    def note(name: str, one: Load) -> None:
        found[name].append(one)
        print(f"{name}: {one.per_second:,.0f}/s", flush=True)

    for number in range(rounds):
        print(f"round {number + 1}")
        for name, log_file in loops.items():
            note(name, Load(bare_loop(ours, seconds, log_file, is_apart=is_apart), 0, 0))
        for name, (python, arguments, environ) in servers.items():
            with started(python, arguments, is_apart=is_apart, **environ) as served:
                for connections in (FEW, BUSY):
                    one = load(served.port, connections=connections, seconds=seconds, is_apart=is_apart)
                    note(f"{name}, {connections}", one)
                memory[name] = resident_mib(served.pid)
    return found, memory


def rows(found: dict[str, list[Load]]) -> list[dict[str, object]]:
    """The figures to reach: medians of the ratios within a round, in which the machine was equally busy for both.

    A bare loop is never without work, so beside it the server has callers enough not to be either.
    """
    quiet = "ours, log level WARNING"
    pairs = [
        ("requests/s against azureml-inference-server-http", f"ours, {FEW}", f"original, {FEW}", 5.0),
        ("requests/s against a bare loop of run() that logs to a file", f"ours, {BUSY}", "bare loop", 0.8),
        ("requests/s against a bare loop of run(), no log lines", f"{quiet}, {BUSY}", "bare loop, no log", 0.8),
    ]
    made: list[dict[str, object]] = []
    for what, one, other, target in pairs:
        made.append({"what": what, "ratio": round(ratio(found, one, other), 3), "target": target, "better": "higher"})
    return made


def ratio(found: dict[str, list[Load]], one: str, other: str) -> float:
    pairs = zip(found[one], found[other], strict=True)
    return statistics.median(mine.per_second / theirs.per_second for mine, theirs in pairs)


def details(found: dict[str, list[Load]], memory: dict[str, float]) -> str:
    """A table for people, and what has no target."""
    lines = [f"{'':30}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}"]
    for name, loads in found.items():
        rate, p50, p99 = (
            statistics.median(values)
            for values in zip(*[(one.per_second, one.p50_ms, one.p99_ms) for one in loads], strict=True)
        )
        lines.append(f"{name:30}{rate:12,.0f}{p50:10.3f}{p99:10.3f}")
    lines += [f"{name}: {mib:.0f} MiB resident" for name, mib in memory.items()]
    quiet = "ours, log level WARNING"
    for one, other in [
        (f"ours, {BUSY}", f"original, {BUSY}"),
        (f"ours, {FEW}", "bare loop"),
        (f"{quiet}, {FEW}", "bare loop, no log"),
    ]:
        lines.append(f"no target: {one} against {other}: {ratio(found, one, other):.3f}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--placement", choices=("apart", "free"), default="apart")
    given = options.parse_args(arguments or [])
    is_apart = given.placement == "apart" and len(CORES) > 1
    found, memory = measure(given.rounds, given.seconds, is_apart=is_apart)
    (OUT / "scoring_server.json").write_text(json.dumps(rows(found), indent=2) + "\n")
    print(details(found, memory))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
