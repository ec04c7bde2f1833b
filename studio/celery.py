"""The Celery application. Services wake tasks by name through it; `endpoints.tasks` holds them."""

from __future__ import annotations

import os
import threading
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready, worker_shutting_down
from django.conf import settings
from kombu import Queue

from studio.schedule import QUEUE, RECURRING, mark_ready, queue_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

app = Celery("slipway")
app.conf.update(
    queue_settings(settings.SLIPWAY_REDIS_URL),
    # A task taken by a worker that was killed is delivered again; every task is idempotent.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    beat_schedule=RECURRING,
)
app.autodiscover_tasks(["endpoints"])


if settings.SLIPWAY_HOST:
    app.conf.task_queues = [Queue(QUEUE), Queue(f"{QUEUE}.{settings.SLIPWAY_HOST}")]
_is_over = threading.Event()


@worker_ready.connect
def _worker_is_ready(**_: Any) -> None:
    from endpoints import tasks

    tasks.take_over()
    threading.Thread(target=_listen_for_wakes, name="wakes", daemon=True).start()
    if not settings.SLIPWAY_HOST:
        mark_ready(settings.SLIPWAY_HOME, "worker")
        return
    from endpoints.control import hosts

    threading.Thread(target=hosts.keep_saying, args=(_is_over,), name="host", daemon=True).start()
    mark_ready(settings.SLIPWAY_HOME, f"worker-{settings.SLIPWAY_HOST}")


def _listen_for_wakes() -> None:
    from django.db import connection

    from endpoints import tasks
    from endpoints.control import wakes
    from endpoints.spec.wakes import Wake
    from endpoints.telemetry import intake

    def act(wake: Wake) -> None:
        try:
            tasks.wake(wake)
        finally:
            connection.close()  # this thread has no task's end at which Celery would

    wakes.listen(intake.connect, act, _is_over)


@worker_shutting_down.connect
def _worker_ends(**_: Any) -> None:
    """What this host ran is another's from now on. In a thread: Celery's own loop stands still while signals come."""
    _is_over.set()
    if settings.SLIPWAY_HOST:
        from endpoints.control import hosts

        threading.Thread(target=hosts.leave, name="host-leaves").start()


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    mark_ready(settings.SLIPWAY_HOME, "beat")
