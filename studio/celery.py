"""The Celery application. Services wake tasks by name through it; `endpoints.tasks` holds them."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready
from django.conf import settings

from studio.schedule import RECURRING, mark_ready, queue_settings

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


@worker_ready.connect
def _worker_is_ready(**_: Any) -> None:
    mark_ready(settings.SLIPWAY_HOME, "worker")


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    mark_ready(settings.SLIPWAY_HOME, "beat")
