"""A build container while it runs: what it prints, line by line, and its end when nobody wants it any more."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from docker.errors import APIError, DockerException

_LOOK_S = 0.1


def lines_of(chunks: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip() for line in complete)
    if rest:
        yield rest.decode("utf-8", "replace").rstrip()


@contextlib.contextmanager
def ended_if(container: Any, is_cancelled: Callable[[], bool]) -> Iterator[threading.Event]:
    """Kill the container when `is_cancelled()` says so or the block is left by an error."""
    finished, was_cancelled = threading.Event(), threading.Event()

    def watch() -> None:
        while not finished.wait(_LOOK_S):
            if is_cancelled():
                was_cancelled.set()
                with contextlib.suppress(APIError):
                    container.kill()
                return

    watcher = threading.Thread(target=watch, name="image-build-watch", daemon=True)
    watcher.start()
    try:
        yield was_cancelled
    except BaseException:
        with contextlib.suppress(DockerException):
            container.remove(force=True, v=True)
        raise
    finally:
        finished.set()
        watcher.join()
