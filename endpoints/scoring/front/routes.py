"""Which request gets which answer, as far as no user code is needed; the rest becomes a ticket. No sockets."""

from __future__ import annotations

import logging
import time
from typing import Callable, Dict, Sequence, Union

from ..answers import NOT_FOUND, WRONG_METHOD, error
from ..api.aml_response import FAILED, HTML, JSON
from ..cors import Cors
from ..http.request import Headers, HttpRequest
from ..http.response import HttpResponse, encode_headers
from ..ids import DEPRECATED, Ids, identify
from ..settings import Settings
from ..swagger import Documents, SwaggerUnavailable
from ..wire import Offer
from .request_log import RequestLog
from .ticket import Ticket

SILENT = "Worker %d has not been heard of for %.1f s: native code keeps the interpreter's lock, or it was stopped."
READ_METHODS = ("GET", "HEAD", "OPTIONS")
SCORE_METHODS = ("GET", "HEAD", "OPTIONS", "POST")


class Routes:
    """silences: seconds for which workers have said nothing that should have, by process id."""

    def __init__(self, settings: Settings, log: RequestLog, silences: Callable[[float], Dict[int, float]]) -> None:
        self._silences = silences
        self._cors = Cors(settings.cors_origins) if settings.cors_origins.strip(", ") else None
        self._version: Headers = [("x-ms-server-version", settings.server_version)] if settings.server_version else []
        self._version_block = encode_headers(self._version)
        self._log = log
        self._is_raw = False
        self._documents = Documents({})

    def learn(self, offer: Offer) -> None:
        """What the workers' script is like."""
        self._log.learn(offer)
        self._is_raw = offer.is_raw
        self._documents = Documents(offer.documents)

    def begin(self, request: HttpRequest, now: float) -> Union[HttpResponse, Ticket]:
        line = request.line
        if line.route == "/score":
            return self._begin_score(request, line.method, now)
        if line.route == "/" or line.route == "/swagger.json":
            if line.method not in READ_METHODS:
                return _wrong_method(READ_METHODS)
            return self._read(request, now)
        return error(404, NOT_FOUND)

    def added_headers(self, request: HttpRequest, ids: Ids) -> bytes:
        """What every answer carries besides its own."""
        if self._cors is None and "traceid" not in request.headers:
            return self._version_block + encode_headers(ids.headers)
        return encode_headers(self._added(request, ids))

    def _begin_score(self, request: HttpRequest, method: str, now: float) -> Union[HttpResponse, Ticket]:
        if method not in SCORE_METHODS:
            return _wrong_method(SCORE_METHODS)
        ids = identify(request.headers)
        if ids.is_deprecated:
            self._log.line(logging.WARNING, DEPRECATED, "")
        if ids.refusal:
            return self._dress(request, ids, error(431, ids.refusal))
        if not self._is_raw and method in ("OPTIONS", "HEAD"):
            if method == "OPTIONS":
                response = HttpResponse(200, [("Content-Type", HTML), (FAILED, "False")])
            else:
                response = error(405, "Method not allowed")
            return self._finish(request, ids, response, now)
        return Ticket(request, ids, now)

    def _read(self, request: HttpRequest, now: float) -> HttpResponse:
        ids = identify(request.headers)
        if ids.refusal:
            return self._dress(request, ids, error(431, ids.refusal))
        if request.method == "OPTIONS":
            response = HttpResponse(200, [("Content-Type", HTML), ("Allow", ", ".join(READ_METHODS))])
        elif request.route == "/":
            response = self._health(now)
        else:
            return self._finish(request, ids, self._swagger_answer(request), now)
        return self._dress(request, ids, response)

    def _health(self, now: float) -> HttpResponse:
        for pid, seconds in self._silences(now).items():
            return error(503, SILENT % (pid, seconds))
        return HttpResponse(200, [("Content-Type", HTML)], b"Healthy")

    def _swagger_answer(self, request: HttpRequest) -> HttpResponse:
        try:
            body = self._documents.document(request.query)
        except SwaggerUnavailable as unavailable:
            return error(404, str(unavailable))
        return HttpResponse(200, [("Content-Type", JSON), (FAILED, "False")], body)

    def _finish(self, request: HttpRequest, ids: Ids, response: HttpResponse, now: float) -> HttpResponse:
        took_ms = (time.perf_counter() - now) * 1000
        line = "%s %d %.3fms %d" % (request.line.shown, response.status, took_ms, len(response.body))
        self._log.line(logging.INFO, line, ids.request_id)
        return self._dress(request, ids, response)

    def _dress(self, request: HttpRequest, ids: Ids, response: HttpResponse) -> HttpResponse:
        response.headers += self._added(request, ids)
        return response

    def _added(self, request: HttpRequest, ids: Ids) -> Headers:
        headers = self._version + ids.headers
        given = request.headers
        if "traceid" in given:
            headers.append(("TraceId", given["traceid"]))
        if self._cors is not None:
            headers += self._cors.headers(request.method, given)
        return headers


def _wrong_method(allowed: Sequence[str]) -> HttpResponse:
    response = error(405, WRONG_METHOD)
    response.headers.append(("Allow", ", ".join(allowed)))
    return response
