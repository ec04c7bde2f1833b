"""What is answered to which request. Knows the contract, no sockets and no threads.

`begin` answers at once what needs no user code and makes a Call of the rest; `execute` (or `execute_async`) runs it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import traceback
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Union

from . import context
from .answers import (
    NOT_FOUND,
    PLAIN_TYPES,
    SCRIPT_FAILED,
    SERVER_FAILED,
    WRONG_METHOD,
    Stream,
    error,
    fatal,
    from_value,
)
from .api.aml_response import FAILED, HTML, JSON
from .arguments import Arguments, InputRefused, adapt, request_headers
from .call import Call
from .cors import Cors
from .http.request import Headers, HttpRequest
from .http.response import HttpResponse, iterate
from .ids import DEPRECATED, Ids, identify
from .loader import Script
from .settings import Settings
from .swagger import Swagger, SwaggerUnavailable
from .watchdog import Watchdog

logger = logging.getLogger("azmlinfsrv")

READ_METHODS = ("GET", "HEAD", "OPTIONS")
SCORE_METHODS = ("GET", "HEAD", "OPTIONS", "POST")
_ID_NAMES = frozenset(("x-request-id", "x-ms-request-id", "x-ms-client-request-id"))

LogRequest = Callable[[str, str], None]


class App:
    """One loaded script behind its routes. `log_request` takes a line and the request's id."""

    def __init__(self, script: Script, settings: Settings, swagger: Swagger, *, log_request: LogRequest) -> None:
        self.adapter, self._wants_headers = adapt(script.run)
        self.watchdog = Watchdog(
            timeout_ms=settings.scoring_timeout_ms,
            stuck_after_ms=settings.stuck_after_ms,
            worker_timeout_s=settings.worker_timeout_s,
        )
        self.is_async = is_async(script.run)
        self._run = script.run
        self._run_batch = script.run_batch
        self._timeout_ms = settings.scoring_timeout_ms
        self._swagger = swagger
        self._cors = Cors(settings.cors_origins) if settings.cors_origins.strip(", ") else None
        self._version: Headers = [("x-ms-server-version", settings.server_version)] if settings.server_version else []
        self._log_request = log_request

    @property
    def can_batch(self) -> bool:
        return self._run_batch is not None

    # Without user code

    def begin(self, request: HttpRequest) -> Union[HttpResponse, Call]:
        route = request.route
        if route == "/score":
            return self._begin_score(request)
        if route == "/" or route == "/swagger.json":
            if request.method not in READ_METHODS:
                return _wrong_method(READ_METHODS)
            return self._read(request)
        return error(404, NOT_FOUND)

    def _begin_score(self, request: HttpRequest) -> Union[HttpResponse, Call]:
        method = request.method
        if method not in SCORE_METHODS:
            return _wrong_method(SCORE_METHODS)
        call = Call(request, identify(request.headers))
        if call.ids.is_deprecated:
            logger.warning(DEPRECATED)
        if call.ids.refusal:
            return self._dress(request, call.ids, error(431, call.ids.refusal))
        if not self.adapter.is_raw and method in ("OPTIONS", "HEAD"):
            if method == "OPTIONS":
                return self._finish(call, HttpResponse(200, [("Content-Type", HTML), (FAILED, "False")]))
            return self._finish(call, error(405, "Method not allowed"))
        return call

    def _read(self, request: HttpRequest) -> HttpResponse:
        call = Call(request, identify(request.headers))
        if call.ids.refusal:
            return self._dress(request, call.ids, error(431, call.ids.refusal))
        if request.method == "OPTIONS":
            response = HttpResponse(200, [("Content-Type", HTML), ("Allow", ", ".join(READ_METHODS))])
        elif request.route == "/":
            response = HttpResponse(200, [("Content-Type", HTML)], b"Healthy")
        else:
            return self._finish(call, self._swagger_answer(request))
        return self._dress(request, call.ids, response)

    def _swagger_answer(self, request: HttpRequest) -> HttpResponse:
        try:
            body = self._swagger.document(request.query)
        except SwaggerUnavailable as unavailable:
            return error(404, str(unavailable))
        return HttpResponse(200, [("Content-Type", JSON), (FAILED, "False")], body)

    # With user code

    def execute(self, call: Call) -> HttpResponse:
        token = context.request_id.set(call.ids.request_id)
        try:
            return self._finish(call, self._score(call))
        finally:
            context.request_id.reset(token)

    def execute_batch(self, calls: List[Call]) -> List[HttpResponse]:
        """One call of run_batch() for all; whatever goes wrong with it, each request gets its own answer."""
        responses: Dict[int, HttpResponse] = {}
        inputs: List[Any] = []
        batch: List[Call] = []
        for call in calls:
            arguments = self._arguments(call)
            if isinstance(arguments, HttpResponse):
                responses[id(call)] = arguments
            else:
                batch.append(call)
                inputs.append(next(iter(arguments.values())) if len(arguments) == 1 else arguments)
        values = self._call_batch(batch, inputs) if batch else []
        if values is None:
            return [self.execute(call) if id(call) not in responses else responses[id(call)] for call in calls]
        for call, value in zip(batch, values):  # noqa: B905  not in Python 3.8
            responses[id(call)] = self._batch_answer(call, value)
        return [self._finish(call, responses[id(call)]) for call in calls]

    async def execute_async(self, call: Call) -> HttpResponse:
        context.request_id.set(call.ids.request_id)
        arguments = self._arguments(call)
        if isinstance(arguments, HttpResponse):
            return self._finish(call, arguments)
        call.entered_at = time.perf_counter()
        try:
            value = self._run(**arguments)
            if inspect.isawaitable(value):
                limit_s = self._timeout_ms / 1000 if self._timeout_ms else None
                value = await asyncio.wait_for(value, limit_s)
        except (TimeoutError, asyncio.TimeoutError):
            return self._finish(call, self._timed_out())
        except Exception:  # noqa: BLE001
            return self._finish(call, _failed_script())
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            return _ended_script()
        call.elapsed_s = time.perf_counter() - call.entered_at
        response = self._answer(call, value)
        if isinstance(response.chunks, Stream):
            response = await _begun_async(response, response.chunks)
        return self._finish(call, response)

    def chunks(self, call: Call, response: HttpResponse) -> Iterator[bytes]:
        """The streamed body, produced under the request's id."""
        token = context.request_id.set(call.ids.request_id)
        try:
            yield from iterate(response.chunks)
        finally:
            context.request_id.reset(token)

    async def chunks_async(self, call: Call, response: HttpResponse) -> AsyncIterator[bytes]:
        if hasattr(response.chunks, "__aiter__") and getattr(response.chunks, "is_async", True):
            async for chunk in response.chunks:
                data = chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk)
                if data:
                    yield data
            return
        for chunk in iterate(response.chunks):
            yield chunk
            await asyncio.sleep(0)

    def _score(self, call: Call) -> HttpResponse:
        arguments = self._arguments(call)
        if isinstance(arguments, HttpResponse):
            return arguments
        watchdog = self.watchdog
        try:
            watchdog.enter(call)
            try:
                value = self._run(**arguments)
                if type(value) not in PLAIN_TYPES and inspect.isawaitable(value):
                    value = asyncio.run(_await(value))
            finally:
                watchdog.leave(call)
        except TimeoutError:
            return self._timed_out()
        except Exception:  # noqa: BLE001
            return _failed_script()
        except BaseException:  # noqa: BLE001  sys.exit() in run() ends one request, not the server
            return _ended_script()
        response = self._answer(call, value)
        if isinstance(response.chunks, Stream):
            return _begun(response, response.chunks)
        return response

    def _arguments(self, call: Call) -> Union[Arguments, HttpResponse]:
        if self._timeout_ms < 0:
            return error(500, SERVER_FAILED)
        try:
            arguments = self.adapter.arguments(call.request)
        except InputRefused as refused:
            return error(refused.status, str(refused))
        except Exception:  # noqa: BLE001
            logger.error("Encountered Exception: %s", traceback.format_exc())
            return error(500, SERVER_FAILED)
        if self._wants_headers:
            arguments["request_headers"] = request_headers(call.request)
        return arguments

    def _call_batch(self, batch: List[Call], inputs: List[Any]) -> Optional[List[Any]]:
        """None when run_batch() cannot answer for all of them."""
        leader = batch[0]
        assert self._run_batch is not None  # noqa: S101
        try:
            self.watchdog.enter(leader)
            try:
                values = self._run_batch(inputs)
            finally:
                self.watchdog.leave(leader)
            if not isinstance(values, (list, tuple)) or len(values) != len(batch):
                raise TypeError("run_batch() must return a list of %d answers, one for each request" % len(batch))
        except Exception:  # noqa: BLE001
            logger.error("run_batch() failed; calling run() for each request. %s", traceback.format_exc())
            return None
        for call in batch:
            call.elapsed_s = leader.elapsed_s
        return list(values)

    def _batch_answer(self, call: Call, value: Any) -> HttpResponse:
        if isinstance(value, BaseException):
            logger.error("run_batch() answered request %s with %r", call.ids.request_id, value)
            return error(500, SCRIPT_FAILED, has_run_failed=True)
        return self._answer(call, value)

    def _answer(self, call: Call, value: Any) -> HttpResponse:
        try:
            response = from_value(value, accept=call.request.headers.get("accept", ""))
        except Exception:  # noqa: BLE001  not something that can be sent
            logger.error("Encountered Exception: %s", traceback.format_exc())
            return error(500, SERVER_FAILED)
        response.headers.append(("x-ms-run-fn-exec-ms", "%.3f" % (call.elapsed_s * 1000)))
        return response

    def _timed_out(self) -> HttpResponse:
        logger.error("Encountered Exception: %s", traceback.format_exc())
        return error(500, "Scoring timeout after %d ms" % self._timeout_ms, has_run_failed=True)

    # Headers and the log

    def _finish(self, call: Call, response: HttpResponse) -> HttpResponse:
        if response.must_close:
            return response
        request = call.request
        self._dress(request, call.ids, response)
        self._log_request(
            "%s %s %d %.3fms %s"
            % (
                request.method,
                request.route + "?" + request.query if request.query else request.route,
                response.status,
                (time.perf_counter() - call.received_at) * 1000,
                "N/A" if response.chunks is not None else len(response.body),
            ),
            call.ids.request_id,
        )
        return response

    def _dress(self, request: HttpRequest, ids: Ids, response: HttpResponse) -> HttpResponse:
        headers = response.headers
        if len(headers) > 3:  # the script's own
            headers = [pair for pair in headers if pair[0].lower() not in _ID_NAMES]
        headers += self._version
        headers += ids.headers
        if "traceid" in request.headers:
            headers.append(("TraceId", request.headers["traceid"]))
        if self._cors is not None:
            headers += self._cors.headers(request.method, request.headers)
        response.headers = headers
        return response


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _wrong_method(allowed: Any) -> HttpResponse:
    response = error(405, WRONG_METHOD)
    response.headers.append(("Allow", ", ".join(allowed)))
    return response


def _failed_script() -> HttpResponse:
    logger.error("Encountered Exception: %s", traceback.format_exc())
    return error(500, SCRIPT_FAILED, has_run_failed=True)


def _ended_script() -> HttpResponse:
    logger.error("Encountered Exception: %s", traceback.format_exc())
    return fatal(500)


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _begun(response: HttpResponse, stream: Stream) -> HttpResponse:
    """Have the first chunk, so that an error before it still is an answer of its own."""
    try:
        stream.begin()
    except Exception:  # noqa: BLE001
        return _failed_script()
    return _typed(response, stream)


async def _begun_async(response: HttpResponse, stream: Stream) -> HttpResponse:
    try:
        if stream.is_async:
            await stream.abegin()
        else:
            stream.begin()
    except Exception:  # noqa: BLE001
        return _failed_script()
    return _typed(response, stream)


def _typed(response: HttpResponse, stream: Stream) -> HttpResponse:
    response.headers.insert(0, ("Content-Type", stream.content_type))
    response.headers.append(("Cache-Control", "no-cache"))
    if not stream.is_async:
        response.close = stream.close
    return response
