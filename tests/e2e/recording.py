"""Callers that keep what they were answered, by whom and when: for tests of what a switch did to whom."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """at: monotonic seconds, when it was whole. status 0: no answer came."""

    at: float
    deployment: str
    status: int


@dataclass
class Recorder:
    """`callers` threads, each with a connection of its own, `rate` requests a second together."""

    port: int
    path: str
    key: str
    rate: float = 100.0
    callers: int = 4
    answers: list[Answer] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[Recorder]:
        is_over = threading.Event()
        threads = [threading.Thread(target=self._call, args=(is_over,)) for _ in range(self.callers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def of(self, deployment: str, *, since: float = 0.0) -> list[Answer]:
        """Its answers in the order they came."""
        found = (one for one in list(self.answers) if one.deployment == deployment and one.at >= since)
        return sorted(found, key=lambda one: one.at)

    def _call(self, is_over: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        while not is_over.is_set():
            begun = time.monotonic()
            try:
                connection.request("POST", self.path, b"{}", headers)
                answer = connection.getresponse()
                answer.read()
                name, status = answer.headers.get("azureml-model-deployment") or "", answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                name, status = "", 0
            self.answers.append(Answer(time.monotonic(), name, status))
            is_over.wait(max(0.0, self.callers / self.rate - (time.monotonic() - begun)))
        connection.close()
