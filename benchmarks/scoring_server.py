"""The scoring server beside azureml-inference-server-http and beside a bare loop, on the sample's run().

One worker each, every server in an environment of its own, alternating runs, medians. Load comes from wrk where it is
on PATH, else from a small asyncio client. Writes out/scoring_server.json.
Usage: python -m benchmarks.scoring_server [--rounds 5] [--seconds 2] [--connections 16]
"""

from __future__ import annotations

import argparse
import asyncio
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUT = ROOT / "benchmarks" / "out"
WORK = OUT / "scoring_server"
SAMPLE = ROOT / "samples" / "diabetes"
SCRIPT = SAMPLE / "onlinescoring" / "score.py"
BODY = (SAMPLE / "sample-request.json").read_bytes()
ORIGINAL = "azureml-inference-server-http==1.5.1"

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


def load(port: int, *, connections: int, seconds: float) -> Load:
    url = f"http://127.0.0.1:{port}/score"
    if shutil.which("wrk"):
        script = WORK / "post.lua"
        script.write_text(WRK_SCRIPT % (SAMPLE / "sample-request.json"))
        whole_s = max(1, round(seconds))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{whole_s}s", "--latency", "-s", str(script), url]
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


def bare_loop(python: Path, seconds: float, log_file: str) -> float:
    command = [str(python), "-c", BARE_LOOP, str(SCRIPT), str(SAMPLE / "sample-request.json"), str(seconds), log_file]
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(WORK / "model-root")}
    return float(subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout)


def resident_mib(pid: int) -> float:
    """Of the process and everything below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return (int(own[1]) / 1024 if own else 0.0) + sum(resident_mib(int(child)) for child in children)


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


def measure(rounds: int, seconds: float, connections: int) -> tuple[dict[str, list[Load]], dict[str, float]]:
    ours, original = prepare()
    ports = [free_port() for _ in range(3)]
    own = ["-m", "slipway_scoring", "--entry_script", str(SCRIPT), "--host", "127.0.0.1"]
    staged = {"PYTHONPATH": str(WORK / "staged")}
    with contextlib.ExitStack() as stack:
        logging_ours = [*own, "--log-file", str(WORK / "ours.jsonl")]
        processes = [
            stack.enter_context(server(ours, logging_ours, ports[0], **staged)),
            stack.enter_context(
                server(
                    ours,
                    [*own, "--log-file", str(WORK / "quiet.jsonl")],
                    ports[1],
                    AZUREML_LOG_LEVEL="WARNING",
                    **staged,
                )
            ),
            stack.enter_context(
                server(original, ["-m", "azureml_inference_server_http", "--entry_script", str(SCRIPT)], ports[2])
            ),
        ]

        def loading(port: int) -> Callable[[], Load]:
            return lambda: load(port, connections=connections, seconds=seconds)

        subjects: dict[str, Callable[[], Load]] = {
            "ours": loading(ports[0]),
            "original": loading(ports[2]),
            "bare loop": lambda: Load(bare_loop(ours, seconds, str(WORK / "bare.log")), 0, 0),
            "ours, log level WARNING": loading(ports[1]),
            "bare loop, no log": lambda: Load(bare_loop(ours, seconds, ""), 0, 0),
        }
        found: dict[str, list[Load]] = {name: [] for name in subjects}
        for number in range(rounds):
            for name, run in subjects.items():
                found[name].append(run())
                print(f"round {number + 1}: {name}: {found[name][-1].per_second:,.0f}/s", flush=True)
        memory = {"ours": resident_mib(processes[0].pid), "original": resident_mib(processes[2].pid)}
    return found, memory


def rows(found: dict[str, list[Load]]) -> list[dict[str, object]]:
    """The figures to reach: medians of the ratios within a round, in which the machine was equally busy for both."""
    pairs = [
        ("requests/s against azureml-inference-server-http", "ours", "original", 5.0),
        ("requests/s against a bare loop of run() that logs to a file", "ours", "bare loop", 0.8),
        ("requests/s against a bare loop of run(), no log lines", "ours, log level WARNING", "bare loop, no log", 0.8),
    ]
    made: list[dict[str, object]] = []
    for what, one, other, target in pairs:
        ratios = [mine.per_second / theirs.per_second for mine, theirs in zip(found[one], found[other], strict=True)]
        made.append({"what": what, "ratio": round(statistics.median(ratios), 3), "target": target, "better": "higher"})
    return made


def details(found: dict[str, list[Load]], medians: dict[str, float], memory: dict[str, float]) -> str:
    """A table for people."""
    lines = [f"{'':28}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'MiB':>8}"]
    for name, loads in found.items():
        p50, p99 = (
            statistics.median(values) for values in zip(*[(one.p50_ms, one.p99_ms) for one in loads], strict=True)
        )
        lines.append(f"{name:28}{medians[name]:12,.0f}{p50:10.3f}{p99:10.3f}{memory.get(name, 0):8.0f}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--connections", type=int, default=16)
    given = options.parse_args(arguments or [])
    found, memory = measure(given.rounds, given.seconds, given.connections)
    medians = {name: statistics.median(one.per_second for one in loads) for name, loads in found.items()}
    (OUT / "scoring_server.json").write_text(json.dumps(rows(found), indent=2) + "\n")
    print(details(found, medians, memory))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
