"""The request that the running thread or task is about. All that logs, invocation and streaming share.

A thread that calls run() for one request after the other writes the id of each into `of_thread`; tasks and streams use
`of_task`. With a context variable alone every change would make readers of other variables, numpy among them, look
theirs up anew: some percent of a short run().
"""

from __future__ import annotations

import contextvars
from threading import get_ident
from typing import Dict

of_task: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
of_thread: Dict[int, str] = {}


def request_id() -> str:
    """ "" outside requests."""
    return of_thread.get(get_ident()) or of_task.get()
