"""A small HTTP server that answers as told and keeps what it was asked, and the command line run against it."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from endpoints.cli.main import main

TOKEN = "slw_test"
Answer = tuple[int, str, bytes] | tuple[int, str, bytes, dict[str, str]]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Studio:
    """What the server answers, in order, the last one for ever; and what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer | Callable[[Asked], Answer]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def on(self, method: str, path: str, *bodies: Any, status: int = 200) -> None:
        """Answer JSON to `method path` (below /api/v1/)."""
        self.answers[method, path] += [(status, "application/json", json.dumps(body).encode()) for body in bodies]

    def on_text(self, method: str, path: str, text: str, *, content_type: str = "text/plain") -> None:
        self.answers[method, path].append((200, content_type, text.encode()))

    def on_bytes(self, method: str, path: str, data: bytes) -> None:
        self.answers[method, path].append((200, "application/octet-stream", data))

    def on_call(self, method: str, path: str, answer: Callable[[Asked], Answer]) -> None:
        self.answers[method, path].append(answer)

    def refuse(self, method: str, path: str, status: int, code: str, message: str, **more: Any) -> None:
        error = {"code": code, "message": message, "details": [], "id": "req-1", **more}
        self.on(method, path, {"error": error}, status=status)

    def sent(self, method: str, path: str) -> list[Asked]:
        return [each for each in self.asked if (each.method, each.path) == (method, path)]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        waiting = self.answers.get((asked.method, asked.path))
        if not waiting:
            error = {"code": "ResourceNotFound", "message": f"There is no {asked.path}.", "details": [], "id": "req-0"}
            return 404, "application/json", json.dumps({"error": error}).encode()
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(asked) if callable(answer) else answer


def _handler(studio: Studio) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = unquote(parts.path.removeprefix("/api/v1/"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content_type, content, *more = studio.answer(
                Asked(self.command, path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)
            )
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(content)))
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            """Not a word."""

    return Handler


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Studio]:
    """A server, and an environment that leads to it."""
    told = Studio()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(told))
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("SLIPWAY_URL", told.url)
    monkeypatch.setenv("SLIPWAY_TOKEN", TOKEN)
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    yield told
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def slipway(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command line in this process."""

    return lambda *words: ran_with(capsys, lambda: main(list(words)))


def ran_with(captured: pytest.CaptureFixture[str], command: Callable[[], int]) -> Ran:
    """What a command printed, and its exit code."""
    captured.readouterr()
    try:
        code = command()
    except SystemExit as end:
        code = int(end.code or 0)
    printed = captured.readouterr()
    return Ran(int(code), printed.out, printed.err)
