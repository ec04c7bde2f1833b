"""Starting an instance's process so that it outlives whoever starts it: own session, no parent to wait for it.

A shell of one megabyte stays beside the server to note its number at birth and its exit code at its end; nothing else
could tell them later, to a worker that was not the parent. No user input ever becomes shell text: all is arguments.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# $1 pid file, $2 exit file, $3 limit of data memory in KiB or "", then the command. The server is a job of this shell;
# `wait` returns its exit code, 128 + n for signal n.
_SHIM = """
pid_file=$1 exit_file=$2 memory_kib=$3
shift 3
ulimit -c 0
[ -z "$memory_kib" ] || ulimit -d "$memory_kib"
"$@" &
pid=$!
stat=
[ ! -r "/proc/$pid/stat" ] || read -r stat <"/proc/$pid/stat"
printf '%s %s\\n' "$pid" "$stat" >"$pid_file"
wait "$pid"
printf '%s\\n' "$?" >"$exit_file"
"""
# Runs the shim in the background and ends, so that the shim has no parent here and can leave no zombie.
_FORK = '/bin/sh -c "$@" &'
_BIRTH_S = 2.0


@contextmanager
def launch_lock(path: Path) -> Iterator[int | None]:
    """The right to start one instance; None while someone holds it. The started process inherits and keeps it."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.fileno()


def is_locked(path: Path) -> bool:
    """Whether the instance is being started or runs."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def launch(
    command: Sequence[str | Path],
    *,
    folder: Path,
    cwd: Path,
    environ: Mapping[str, str],
    memory_kib: int | None,
    held: int,
) -> None:
    """Start `command` detached; its shim writes `pid` and `exit` into `folder`, its own output goes to `console.log`.

    Returns when the process has been born (a few milliseconds), so that whoever stops it at once can signal it.
    held: descriptor of the launch lock, kept open by the process for its whole life.
    """
    limits = "" if memory_kib is None else str(memory_kib)
    shim: list[str | Path] = [_SHIM, "slipway-shim", folder / "pid", folder / "exit", limits, *command]
    with (folder / "console.log").open("ab") as console:
        subprocess.run(
            ["/bin/sh", "-c", _FORK, "slipway-start", *shim],
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(held,),
            check=True,
        )
    deadline = time.monotonic() + _BIRTH_S
    while not _has_line(folder / "pid") and time.monotonic() < deadline:
        time.sleep(0.001)


def _has_line(path: Path) -> bool:
    try:
        return path.read_bytes().endswith(b"\n")
    except FileNotFoundError:
        return False


# What an instance may see of the host's environment: no secret of the studio, only what programs need to work there.
_INHERITED = (
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)
# Native libraries start a thread per core of the host unless told how many cores the instance type has.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def base_environment(*, folder: Path, python: Path, cpu_cores: float | None) -> dict[str, str]:
    """What every instance's process starts with; the user's variables win over it."""
    environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environ.setdefault("LANG", "C.UTF-8")
    environ.update(
        PATH=f"{python.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        VIRTUAL_ENV=str(python.parent.parent),
        HOME=str(folder / "home"),
        TMPDIR=str(folder / "tmp"),
        PYTHONUNBUFFERED="1",
        PYTHONFAULTHANDLER="1",
    )
    if cpu_cores is not None:
        threads = str(max(1, min(round(cpu_cores), os.cpu_count() or 1)))
        environ.update(dict.fromkeys(_THREAD_VARIABLES, threads))
    return environ
