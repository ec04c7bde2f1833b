"""The Celery application. Services wake tasks by name through it; `endpoints.tasks` holds them."""

from __future__ import annotations

import os

from celery import Celery
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
    broker_transport_options={"visibility_timeout": 3600},
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_default_queue="slipway",
    timezone="UTC",
    worker_hijack_root_logger=False,
)
app.autodiscover_tasks(["endpoints"])
