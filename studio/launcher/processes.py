"""The studio's processes: how each is started and how it shows that it answers."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

from studio.launcher.checks import answers_http, answers_redis, redis_binary
from studio.launcher.children import Child
from studio.launcher.options import Options


def redis_child(options: Options) -> Child:
    """An embedded broker: a Unix socket only, nothing on disk; what it forgets the next sweep brings back."""
    socket_path = options.redis_url.removeprefix("unix://")
    return Child(
        name="redis",
        command=[
            redis_binary(),
            *("--port", "0"),
            *("--unixsocket", socket_path),
            *("--unixsocketperm", "600"),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--dir", str(options.home.run)),
            *("--maxmemory", "256mb"),
            *("--maxmemory-policy", "noeviction"),
        ],
        environment=options.child_environment(),
        log=options.home.process_logs / "redis.log",
        is_ready=lambda: answers_redis(socket_path),
    )


def studio_children(options: Options) -> list[Child]:
    """Web, worker, beat and gateway, in the order in which they are stopped."""
    environment = options.child_environment()
    python = sys.executable
    logs = options.home.process_logs

    def marker(name: str) -> Path:
        return options.home.run / f"{name}.ready"

    celery = [python, "-m", "celery", "-A"]
    schedule = str(options.home.run / "beat-schedule")
    return [
        Child(
            name="beat",
            command=[*celery, "studio.beat", "beat", "--loglevel", "WARNING", "--pidfile=", "--schedule", schedule],
            environment=environment,
            log=logs / "beat.log",
            is_ready=marker("beat").exists,
        ),
        Child(
            name="web",
            command=[
                *(python, "-m", "uvicorn", "studio.asgi:application"),
                *("--host", options.bind, "--port", str(options.port)),
                *("--no-access-log", "--lifespan", "off", "--timeout-graceful-shutdown", "3"),
            ],
            environment=environment,
            log=logs / "web.log",
            is_ready=lambda: answers_http(f"http://{_reachable(options.bind)}:{options.port}/healthz"),
        ),
        Child(
            name="worker",
            command=[
                *(*celery, "studio.celery", "worker", "--pool", "threads", "--concurrency", "16"),
                *("--loglevel", "INFO", "--without-mingle", "--without-gossip", "--without-heartbeat"),
            ],
            environment=environment,
            log=logs / "worker.log",
            is_ready=marker("worker").exists,
            # Deployments are finished by whoever comes next: no need to wait for them here.
            stop_signal=signal.SIGQUIT,
        ),
        Child(
            name="gateway",
            command=[python, "-m", "endpoints.gateway"],
            environment=environment,
            log=logs / "gateway.log",
            is_ready=lambda: answers_http(f"http://{_reachable(options.bind)}:{options.gateway_port}/-/healthz"),
            stop_within_s=30.0,
        ),
    ]


def clear_markers(options: Options) -> None:
    """Forget the last run's signs of readiness."""
    for name in ("worker", "beat"):
        (options.home.run / f"{name}.ready").unlink(missing_ok=True)
    schedule = options.home.run / "beat-schedule"
    # Left half-written by a kill, the schedule stops beat from starting; it holds nothing worth keeping.
    for leftover in options.home.run.glob(f"{schedule.name}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _reachable(bind: str) -> str:
    """An address to reach a server bound to `bind` from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind, bind)  # noqa: S104
