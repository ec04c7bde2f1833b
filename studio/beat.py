"""The beat process: asks for what recurs, by name. Without Django and the tasks' code it takes half the memory."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import beat_init

from studio.schedule import RECURRING, mark_ready, queue_settings
from studio.settings import SLIPWAY_HOME, SLIPWAY_REDIS_URL

app = Celery("slipway-beat", fixups=[])
app.conf.update(queue_settings(SLIPWAY_REDIS_URL), beat_schedule=RECURRING)


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    mark_ready(SLIPWAY_HOME, "beat")
