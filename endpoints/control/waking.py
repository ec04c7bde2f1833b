"""Asks for work by the task's name. A lost wake costs seconds, never correctness: the sweep finds what is due."""

from __future__ import annotations

import logging

from celery import current_app

logger = logging.getLogger(__name__)

RECONCILE_DEPLOYMENT = "endpoints.tasks.reconcile_deployment"
BUILD_ENVIRONMENT = "endpoints.tasks.build_environment"
GLANCE = "endpoints.tasks.glance"
MEASURE_HOST = "endpoints.tasks.measure_host"


def wake(task: str, *args: object, host: str = "", expires_s: float = 60.0) -> None:
    """Hand the task to the broker, for the worker on `host` or for any; one that does not answer is a logged line."""
    queue = current_app.conf.task_default_queue
    try:
        current_app.send_task(
            task, args=args, retry=False, expires=expires_s, queue=f"{queue}.{host}" if host else queue
        )
    except Exception as failure:  # noqa: BLE001  # kombu raises whatever its transport raises
        logger.warning("Could not wake %s%r (%s); the next sweep will", task, args, failure)
