"""The scoring server beside azureml-inference-server-http and beside a bare loop, on the sample's run().

One worker each, every server in an environment of its own. Who calls run() has a core to itself; the load and the
other processes of a server have the other: with three busy processes on two cores the scheduler's luck would weigh more
than what is compared. Every round starts its servers anew: how a process lies in memory is luck too, and worth several
percent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.data_plane.figures import Row, row
from benchmarks.data_plane.load import Run, drive, summary
from benchmarks.data_plane.peers import LOAD_CORE, PEER_CORE, ROOT, Peer, pinned

WORK = ROOT / "benchmarks" / "out" / "scoring_server"
SAMPLE = ROOT / "samples" / "diabetes"
SCRIPT = SAMPLE / "onlinescoring" / "score.py"
PACKAGE = "azureml-inference-server-http==1.5.1"
FEW, BUSY = 16, 64  # connections
OURS, QUIET, ORIGINAL = "ours", "ours, no log", "original"
LOOP, QUIET_LOOP = "bare loop", "bare loop, no log"

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


@dataclass(frozen=True)
class Subject:
    """A kind of scoring server. loop: the bare loop beside which it runs, "" for none."""

    name: str
    python: Path
    module: str
    environ: Mapping[str, str]
    loop: str = ""


class ScoringServer(Peer):
    """A server of that kind. Placed only when it runs: ours looks at its start for how many cores it may use."""

    core = None
    path = "/score"
    hidden = ("AML_", "AZUREML_", "SLIPWAY_")  # what they read was not set for them
    first_request = b"GET / HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n"

    def __init__(self, folder: Path, subject: Subject) -> None:
        super().__init__(folder)
        self.subject = subject
        self.name = subject.name

    def command(self) -> list[str]:
        own = ["--host", "127.0.0.1", "--log-file", str(self.folder / "log.jsonl")] if self.subject.loop else []
        script = ["--entry_script", str(SCRIPT), "--port", str(self.port)]
        return [str(self.subject.python), "-m", self.subject.module, *own, *script]

    def environ(self) -> dict[str, str]:
        folders = {"AZUREML_MODEL_DIR": str(WORK / "model-root"), "AML_APP_ROOT": str(SCRIPT.parent)}
        return {**folders, **self.subject.environ}

    def place(self) -> None:
        """The worker on one core, the server's other processes on the other."""
        for process in self.processes():
            is_worker = not process.children() and process.name() != "slipway-front"
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {PEER_CORE if is_worker else LOAD_CORE})


def measure(root: Path, *, seconds: float, runs: int, is_apart: bool) -> list[Row]:
    """All figures of the scoring server. With `is_apart` off the system places processes as it likes.

    Twice as many runs, each half as long: the host's speed drifts by as much as the margin to the target.
    """
    runs, seconds = runs * 2, seconds / 2
    ours, original = _prepare()
    staged = {"PYTHONPATH": str(WORK / "staged")}
    subjects = (
        Subject(OURS, ours, "slipway_scoring", staged, LOOP),
        Subject(QUIET, ours, "slipway_scoring", {**staged, "AZUREML_LOG_LEVEL": "WARNING"}, QUIET_LOOP),
        Subject(ORIGINAL, original, "azureml_inference_server_http", {}),
    )
    rates: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[Run]] = defaultdict(list)
    for number in range(runs):
        for subject in subjects:
            with ScoringServer(root / f"scoring-{number}" / subject.name, subject) as server:
                if is_apart:
                    server.place()
                drive(server, connections=BUSY, seconds=1)  # until it runs as it will for the rest of its life
                for connections in (FEW, BUSY):
                    if subject.loop:
                        log_file = str(root / "bare.log") if subject.loop == LOOP else ""
                        rates[subject.loop].append(_bare_loop(ours, seconds, log_file, is_apart=is_apart))
                    run = drive(server, connections=connections, seconds=seconds)
                    found[f"{subject.name}, {connections}"].append(run)
    print(f"   the sample's run(), {runs} runs of {seconds:g} s")
    for name, mine in found.items():
        print(f"   {name:16} {summary(mine)}")
        rates[name] = [run.rate for run in mine]
    for name in (LOOP, QUIET_LOOP):
        print(f"   {name:16} {median(rates[name]):9.0f} calls/s")
    return _rows({name: median(mine) for name, mine in rates.items()})


def _rows(rates: dict[str, float]) -> list[Row]:
    """A bare loop is never without work, so beside it the server has callers enough not to be either."""
    for one, loop in ((OURS, LOOP), (QUIET, QUIET_LOOP)):
        print(f"   ({one}, {FEW} callers, against a {loop}: {rates[f'{one}, {FEW}'] / rates[loop]:.3f}; no target)")
    figures = (
        ("azureml-inference-server-http", f"{OURS}, {FEW}", f"{ORIGINAL}, {FEW}", 5.0),
        ("a bare loop of run() that logs to a file", f"{OURS}, {BUSY}", LOOP, 0.8),
        ("a bare loop of run(), no log lines", f"{QUIET}, {BUSY}", QUIET_LOOP, 0.8),
    )
    return [
        row(f"requests/s of the scoring server against {peer}", rates[one] / rates[other], target, "higher")
        for peer, one, other, target in figures
    ]


def _bare_loop(python: Path, seconds: float, log_file: str, *, is_apart: bool) -> float:
    """Calls per second."""
    command = [str(python), "-c", BARE_LOOP, str(SCRIPT), str(SAMPLE / "sample-request.json"), str(seconds), log_file]
    done = subprocess.run(
        pinned(command, PEER_CORE) if is_apart else command,
        env={**os.environ, "AZUREML_MODEL_DIR": str(WORK / "model-root")},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def _prepare() -> tuple[Path, Path]:
    """(the Python of ours, of the original); trains the model and stages the server as the process backend does."""
    WORK.mkdir(parents=True, exist_ok=True)
    ours, original = _environment("ours"), _environment("original", PACKAGE)
    if not (WORK / "model-root" / "model").exists():
        subprocess.run([str(ours), str(SAMPLE / "train.py"), str(WORK / "model-root" / "model")], check=True)
    shutil.rmtree(WORK / "staged", ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "endpoints" / "scoring", WORK / "staged" / "slipway_scoring", ignore=skip)
    return ours, original


def _environment(name: str, *packages: str) -> Path:
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
