"""The request that the running thread or task is about. All that logs, invocation and streaming share."""

from __future__ import annotations

import contextvars

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
