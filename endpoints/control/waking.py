"""Asks for work by the task's name. A lost wake costs seconds, never correctness: the sweep finds what is due."""

from __future__ import annotations

import logging

from celery import current_app

logger = logging.getLogger(__name__)

RECONCILE_DEPLOYMENT = "endpoints.tasks.reconcile_deployment"
BUILD_ENVIRONMENT = "endpoints.tasks.build_environment"


def wake(task: str, *args: object) -> None:
    """Hand the task to the broker. One that does not answer is a line in the log."""
    try:
        current_app.send_task(task, args=args, retry=False, expires=60)
    except Exception as failure:  # noqa: BLE001  # kombu raises whatever its transport raises
        logger.warning("Could not wake %s%r (%s); the next sweep will", task, args, failure)
