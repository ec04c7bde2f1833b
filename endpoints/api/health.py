"""/healthz: whether this process can do its work. It tells no names, addresses or versions; anyone may ask."""

from __future__ import annotations

import logging

from celery import current_app
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

OK, DOWN = "ok", "down"


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be served, 503 when the database is gone. Without the broker changes only take longer."""
    parts = {"database": _database(), "broker": _broker()}
    is_well = parts["database"] == OK
    return JsonResponse(
        {"status": OK if is_well else DOWN, **parts},
        status=200 if is_well else 503,
        headers={"Cache-Control": "no-store"},
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as failure:
        logger.warning("The database does not answer: %s", failure)
        return DOWN
    return OK


def _broker() -> str:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except Exception as failure:  # noqa: BLE001  # kombu raises whatever its transport raises
        logger.warning("The broker does not answer: %s", failure)
        return DOWN
    return OK
