"""The request that the running thread or task is about. All that logs, invocation and streaming share.

A thread that calls run() for one request after the other writes the id of each into `of_thread`, which comes before
`of_task`, that of a task on an event loop. With a context variable alone every change would make readers of other
variables, numpy among them, look theirs up anew: some percent of a short run().
"""

from __future__ import annotations

import contextvars
from contextlib import contextmanager
from threading import get_ident
from typing import Dict, Iterator

of_task: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
of_thread: Dict[int, str] = {}


def request_id() -> str:
    """Empty outside requests."""
    return of_thread.get(get_ident()) or of_task.get()


@contextmanager
def about(request_id: str) -> Iterator[None]:
    """What the running thread does meanwhile is about that request, whatever it was about before."""
    thread_id = get_ident()
    before = of_thread.get(thread_id, "")
    of_thread[thread_id] = request_id
    try:
        yield
    finally:
        of_thread[thread_id] = before
