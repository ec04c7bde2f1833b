"""What web, worker and beat share of Celery: broker, queue, what recurs. Knows no Django and no task's code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# What any worker takes; `QUEUE.<host>` is what only that host's does, where there are several.
QUEUE = "slipway"
# A round that waited longer than its turn is not worth doing: the next one finds the same.
RECURRING: dict[str, dict[str, Any]] = {
    "sweep": {"task": "endpoints.tasks.sweep", "schedule": 2.0, "options": {"expires": 4}},
    "counters": {"task": "endpoints.tasks.take_counters", "schedule": 3.0, "options": {"expires": 6}},
    "rollouts": {"task": "endpoints.tasks.guard_rollouts", "schedule": 1.0, "options": {"expires": 5}},
    "loans": {"task": "endpoints.tasks.look_after_loans", "schedule": 5.0, "options": {"expires": 5}},
    "pairs": {"task": "endpoints.tasks.take_pairs", "schedule": 3.0, "options": {"expires": 6}},
    "autoscale": {"task": "endpoints.tasks.autoscale", "schedule": 5.0, "options": {"expires": 5}},
    "samples": {"task": "endpoints.tasks.sample_instances", "schedule": 10.0, "options": {"expires": 10}},
    "rollups": {"task": "endpoints.tasks.roll_up", "schedule": 15.0, "options": {"expires": 30}},
    "old-telemetry": {"task": "endpoints.tasks.forget_telemetry", "schedule": 1800.0, "options": {"expires": 1800}},
    "garbage": {"task": "endpoints.tasks.collect_garbage", "schedule": 3600.0, "options": {"expires": 3600}},
}


def queue_settings(redis_url: str) -> dict[str, Any]:
    """Celery's settings for the broker at `redis_url` (`redis://…` or `unix://path`)."""
    return {
        # Celery spells a Redis on a Unix socket `redis+socket://`; everything else spells it `unix://`.
        "broker_url": redis_url.replace("unix://", "redis+socket://", 1),
        "broker_connection_retry_on_startup": True,
        # A broker that is away must not keep a person waiting: one quick second try, then the sweep has to do.
        "broker_transport_options": {
            "visibility_timeout": 3600,
            "socket_connect_timeout": 2,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
        },
        "task_ignore_result": True,
        "task_default_queue": QUEUE,
        "timezone": "UTC",
    }


def mark_ready(home: Path, name: str) -> None:
    """Leave a sign that this process answers, for the launcher and for health checks in containers."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / f"{name}.ready").write_text(str(os.getpid()), encoding="utf-8")
