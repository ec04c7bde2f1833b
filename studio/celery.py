"""The Celery application. Services wake tasks by name through it; `endpoints.tasks` holds them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")


def _broker_url() -> str:
    """Celery spells a Redis on a Unix socket `redis+socket://`; everything else spells it `unix://`."""
    url: str = settings.SLIPWAY_REDIS_URL
    return url.replace("unix://", "redis+socket://", 1)


app = Celery("slipway")
app.conf.update(
    broker_url=_broker_url(),
    broker_connection_retry_on_startup=True,
    # A task taken by a worker that was killed is delivered again; every task is idempotent.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # A broker that is away must not keep a person waiting: one quick second try, then the sweep has to do.
    broker_transport_options={
        "visibility_timeout": 3600,
        "socket_connect_timeout": 2,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    },
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_default_queue="slipway",
    timezone="UTC",
    worker_hijack_root_logger=False,
    beat_schedule={
        # A sweep that waited longer than its turn is not worth doing: the next one finds the same.
        "sweep": {"task": "endpoints.tasks.sweep", "schedule": 2.0, "options": {"expires": 4}},
        "counters": {"task": "endpoints.tasks.take_counters", "schedule": 3.0, "options": {"expires": 6}},
        "samples": {"task": "endpoints.tasks.sample_instances", "schedule": 10.0, "options": {"expires": 10}},
        "rollups": {"task": "endpoints.tasks.roll_up", "schedule": 15.0, "options": {"expires": 30}},
        "old-telemetry": {"task": "endpoints.tasks.forget_telemetry", "schedule": 1800.0, "options": {"expires": 1800}},
        "garbage": {"task": "endpoints.tasks.collect_garbage", "schedule": 3600.0, "options": {"expires": 3600}},
    },
)
app.autodiscover_tasks(["endpoints"])


def _mark_ready(name: str) -> None:
    """Leave a sign that this process answers, for the launcher and for health checks in containers."""
    folder = Path(settings.SLIPWAY_HOME) / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / f"{name}.ready").write_text(str(os.getpid()), encoding="utf-8")


@worker_ready.connect
def _worker_is_ready(**_: Any) -> None:
    _mark_ready("worker")


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    _mark_ready("beat")
