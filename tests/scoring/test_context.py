"""Which request a log line is about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import get_ident

import pytest

from endpoints.scoring import context
from endpoints.scoring.seat import _log_line


@pytest.fixture
def answering() -> Iterator[str]:
    """This thread is in the middle of a request of its own."""
    with context.about("its-own"):
        yield "its-own"
    context.of_thread.pop(get_ident())


class Ids(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(context.request_id())


def test_a_line_for_the_front_carries_the_id_it_came_with_and_not_that_of_a_stream_under_way(answering: str) -> None:
    logger, ids = logging.getLogger("azmlinfsrv"), Ids()
    logger.addHandler(ids)
    try:
        _log_line(logging.CRITICAL, "GET /swagger.json 200", "another")
    finally:
        logger.removeHandler(ids)
    assert ids.seen == ["another"]
    assert context.request_id() == answering


def test_outside_requests_there_is_none(answering: str) -> None:
    with context.about(""):
        assert context.request_id() == ""
    assert context.request_id() == answering
