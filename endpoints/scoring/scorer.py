"""From a call to its answer by way of the user's code. Knows the contract's conversions, no sockets and no threads."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import traceback
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Tuple, Union

from . import context
from .answers import PLAIN_TYPES, SCRIPT_FAILED, SERVER_FAILED, TOOK, Stream, error, fatal, from_value
from .arguments import Arguments, InputRefused, adapt, request_headers
from .call import Call
from .http.response import HttpResponse, iterate
from .ids import NAMES
from .json_bytes import to_json
from .loader import Script
from .settings import Settings
from .watchdog import Turn, Watchdog

logger = logging.getLogger("azmlinfsrv")

LogRequests = Callable[[List[Tuple[str, str]]], None]
Answer = Union[bytes, HttpResponse]  # bytes: the JSON of a plain value


class Scorer:
    """One loaded script. `log_requests` takes lines, each with its request's id; None when nobody reads them."""

    def __init__(self, script: Script, settings: Settings, *, log_requests: Optional[LogRequests]) -> None:
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
        self._log_requests = log_requests

    @property
    def can_batch(self) -> bool:
        return self._run_batch is not None

    def execute_all(self, calls: List[Call], *, is_batch: bool) -> Iterator[Tuple[Call, Answer]]:
        """One after the other, or all at once for a script that takes batches.

        A plain value comes as its JSON alone, and is to be given to `note_plain`: between two calls of run() only
        what must be done then is done, for whatever is done many times in a row is done more quickly.
        """
        if is_batch:
            yield from zip(calls, self.execute_batch(calls))  # noqa: B905  not in Python 3.8
            return
        prepared = [(call, self._arguments(call)) for call in calls]
        turn = self.watchdog.turn()
        of_thread, thread_id = context.of_thread, turn.thread_id
        try:
            for call, arguments in prepared:
                of_thread[thread_id] = call.request_id
                answer = arguments if isinstance(arguments, HttpResponse) else self._score(call, arguments, turn)
                yield call, self._finish(call, answer) if isinstance(answer, HttpResponse) else answer
        finally:
            of_thread.pop(thread_id, None)

    @property
    def note_plain(self) -> Optional[Callable[[List[Tuple[Call, bytes]]], None]]:
        """Writes the lines in the log for calls whose plain values are on their way; None for no lines."""
        return self._note_plain if self._log_requests is not None else None

    def _note_plain(self, answers: List[Tuple[Call, bytes]]) -> None:
        self._log([(call, 200, len(body)) for call, body in answers])

    def execute_batch(self, calls: List[Call]) -> List[Answer]:
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
            return [answer for _, answer in self.execute_all(calls, is_batch=False)]
        for call, value in zip(batch, values):  # noqa: B905  not in Python 3.8
            responses[id(call)] = self._batch_answer(call, value)
        return [self._finish(call, responses[id(call)]) for call in calls]

    async def execute_async(self, call: Call) -> HttpResponse:
        context.of_task.set(call.request_id)
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
        with context.about(call.request_id):
            yield from iterate(response.chunks)

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

    def _score(self, call: Call, arguments: Arguments, turn: Turn) -> Answer:
        watchdog = self.watchdog
        try:
            watchdog.enter(turn, call)
            try:
                value = self._run(**arguments)
                if type(value) not in PLAIN_TYPES and inspect.isawaitable(value):
                    value = asyncio.run(_await(value, call.request_id))
            finally:
                watchdog.leave(turn, call)
        except TimeoutError:
            return self._timed_out()
        except Exception:  # noqa: BLE001
            return _failed_script()
        except BaseException:  # noqa: BLE001  sys.exit() in run() ends one request, not the server
            return _ended_script()
        if type(value) in PLAIN_TYPES:
            try:
                return to_json(value)
            except Exception:  # noqa: BLE001  not something that can be sent
                return _unsendable()
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
            with context.about(call.request_id):
                logger.error("Encountered Exception: %s", traceback.format_exc())
            return error(500, SERVER_FAILED)
        if self._wants_headers:
            arguments["request_headers"] = request_headers(call.request)
        return arguments

    def _call_batch(self, batch: List[Call], inputs: List[Any]) -> Optional[List[Any]]:
        """None when run_batch() cannot answer for all of them."""
        leader, turn = batch[0], self.watchdog.turn()
        assert self._run_batch is not None  # noqa: S101
        try:
            self.watchdog.enter(turn, leader)
            try:
                values = self._run_batch(inputs)
            finally:
                self.watchdog.leave(turn, leader)
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
            logger.error("run_batch() answered request %s with %r", call.request_id, value)
            return error(500, SCRIPT_FAILED, has_run_failed=True)
        return self._answer(call, value)

    def _answer(self, call: Call, value: Any) -> HttpResponse:
        took_ms = call.elapsed_s * 1000
        try:
            response = from_value(value, accept=call.request.headers.get("accept", ""))
        except Exception:  # noqa: BLE001  not something that can be sent
            return _unsendable()
        response.headers.append((TOOK, "%.3f" % took_ms))
        return response

    def _timed_out(self) -> HttpResponse:
        logger.error("Encountered Exception: %s", traceback.format_exc())
        return error(500, "Scoring timeout after %d ms" % self._timeout_ms, has_run_failed=True)

    def _finish(self, call: Call, response: HttpResponse) -> HttpResponse:
        """Note it in the log; the ids are the front's to give, not the script's."""
        if response.must_close:
            return response
        if len(response.headers) > 3:  # the script's own
            response.headers = [pair for pair in response.headers if pair[0].lower() not in NAMES]
        self._log([(call, response.status, "N/A" if response.chunks is not None else len(response.body))])
        return response

    def _log(self, answers: List[Tuple[Call, int, Union[int, str]]]) -> None:
        """Of each its status and length."""
        if self._log_requests is None:
            return
        now = time.perf_counter()
        self._log_requests(
            [
                (
                    "%s %d %.3fms %s" % (call.request.line.shown, status, (now - call.received_at) * 1000, length),
                    call.request_id,
                )
                for call, status, length in answers
            ]
        )


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _unsendable() -> HttpResponse:
    logger.error("Encountered Exception: %s", traceback.format_exc())
    return error(500, SERVER_FAILED)


def _failed_script() -> HttpResponse:
    logger.error("Encountered Exception: %s", traceback.format_exc())
    return error(500, SCRIPT_FAILED, has_run_failed=True)


def _ended_script() -> HttpResponse:
    logger.error("Encountered Exception: %s", traceback.format_exc())
    return fatal(500)


async def _await(awaitable: Any, request_id: str) -> Any:
    context.of_task.set(request_id)  # for threads it may start with a copy of its context
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
