"""A worker process from fork to exit: logs, the user's script, init(), then serving.

It inherits bound listeners and the pipes to the supervisor; with a preloaded script its parent is the nursery.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import socket
import sys
import traceback
from typing import Any, Callable, Dict, NamedTuple, NoReturn, Optional, Sequence, Tuple

from . import channel, compat, loader, logs
from .app import App, is_async
from .arguments import adapt
from .failure import BAD_ARGUMENT, NOT_READY, BootFailure
from .ledger import Ledger
from .server import Server
from .servers import AsyncServer, BatchServer
from .settings import Settings
from .swagger import Swagger

logger = logging.getLogger("azmlinfsrv")

BOOT_FAILED = 3
BACKLOG = 2048
_PR_SET_PDEATHSIG = 1


class Pipes(NamedTuple):
    """One end of everything that leads from a worker to the supervisor; `ledger` is the same for both."""

    stdout: int
    stderr: int
    records: int
    events: int
    ledger: Ledger

    @property
    def descriptors(self) -> Tuple[int, int, int, int]:
        return self[:4]


class LoopNeeded(Exception):
    """The script awaits, which must not begin before the fork."""


class Boot:
    """Everything that can be done before the fork of a preloaded worker (`is_shared`)."""

    def __init__(self, settings: Settings, pipes: Pipes, *, is_shared: bool = False) -> None:
        self._is_shared = is_shared
        self.settings = settings
        self.pipes = pipes
        self.records = logs.RecordPipe(pipes.records, pipes.ledger)
        self.loop: Optional[Any] = None
        self.app: Optional[App] = None

    def load(self) -> None:
        """Import the script, call init(), prepare swagger. Raises BootFailure, LoopNeeded."""
        settings = self.settings
        has_own_logging = self._set_up_logging()
        compat.install()
        logger.info("Initializing logger")
        for warning in settings.warnings:
            logger.warning("%s", warning)
        logs.redirect_print()
        script = loader.load(
            app_root=settings.app_root, entry_script=settings.entry_script, source_dir=settings.source_dir
        )
        if self._is_shared and (is_async(script.run) or is_async(script.init)):
            raise LoopNeeded
        adapter, _ = adapt(script.run)  # what is wrong with run() is told before init() spends a minute on the model
        logging.getLogger("azmlinfsrv.user_script").info("%s", adapter.describe())
        loader.call_init(script, app_root=settings.app_root, model_dir=settings.model_dir, await_=self._await)
        log_request = self._log_request if has_own_logging else self._request_logger()
        self.app = App(script, settings, Swagger(script.run, settings), log_request=log_request)
        logger.info("Scoring timeout is set to %d", settings.scoring_timeout_ms)

    def _await(self, awaitable: Any) -> Any:
        if self.loop is None:
            self.loop = _new_loop()
        return self.loop.run_until_complete(awaitable)

    def _set_up_logging(self) -> bool:
        settings = self.settings
        folders = [settings.app_root]
        if settings.entry_script:
            folders.append(os.path.dirname(os.path.join(settings.app_root, settings.entry_script)))
        try:
            return logs.set_up(self.records, level=settings.log_level, folders=folders)
        except Exception as error:
            raise BootFailure(
                BAD_ARGUMENT,
                "logging.json cannot be used: %s" % error,
                advice="It must be a configuration for logging.config.dictConfig.",
                file="logging.json",
                log_tail=traceback.format_exc(),
            ) from error

    def _request_logger(self) -> Callable[[str, str], None]:
        if logger.isEnabledFor(logging.INFO):
            return self.records.defer
        return lambda line, request_id: None

    @staticmethod
    def _log_request(line: str, request_id: str) -> None:
        logger.info("%s", line)


def run(settings: Settings, listeners: Sequence[socket.socket], pipes: Pipes, parent: int) -> NoReturn:
    """The whole life of a worker that loads the script itself. Never returns."""
    prepare_process(pipes, parent)
    boot = Boot(settings, pipes)
    load_or_exit(boot)
    serve(boot, listeners)


def load_or_exit(boot: Boot) -> None:
    try:
        boot.load()
    except BootFailure as failure:
        logger.error("%s", failure.message)
        _exit_failed(boot, failure)
    except LoopNeeded:
        raise
    except BaseException:  # noqa: BLE001  a defect of ours, or a script that fights back
        text = traceback.format_exc()
        logger.error("%s", text)
        _exit_failed(boot, BootFailure(NOT_READY, "The scoring server could not start.", log_tail=text))


def serve(boot: Boot, listeners: Sequence[socket.socket]) -> NoReturn:
    """Open the door and answer until stopped. Never returns."""
    settings, app = boot.settings, boot.app
    assert app is not None  # noqa: S101
    options: Dict[str, Any] = {
        "max_concurrent": settings.max_concurrent,
        "graceful_timeout_s": settings.graceful_timeout_s,
        "has_siblings": settings.worker_count > 1,
        "flush": boot.records.flush,
        "on_stuck": lambda: os._exit(0),
    }
    server: Server
    if app.is_async:
        server = AsyncServer(app, listeners, loop=boot.loop or _new_loop(), **options)
    elif settings.batch_max_size > 1 and app.can_batch:
        size, wait_ms = settings.batch_max_size, settings.batch_max_wait_ms
        server = BatchServer(app, listeners, max_size=size, max_wait_ms=wait_ms, **options)
    else:
        server = Server(app, listeners, **options)
    for listener in listeners:
        listener.listen(BACKLOG)
    logger.info("Worker with pid %d ready for serving traffic", os.getpid())
    channel.tell(boot.pipes.events, channel.READY)
    server.serve()
    boot.records.flush()
    exit_process(0)


def prepare_process(pipes: Pipes, parent: int) -> None:
    """After the fork: die with the parent, write to the pipes, take signals as a worker does."""
    die_with_parent(parent)
    os.dup2(pipes.stdout, 1)
    os.dup2(pipes.stderr, 2)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    faulthandler.enable()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # a terminal's Ctrl-C is the supervisor's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def die_with_parent(parent: int) -> None:
    """Linux only; elsewhere a worker outlives a killed supervisor."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def exit_process(status: int) -> NoReturn:
    """Run the script's exit handlers, but wait for no thread of its own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    try:
        import atexit

        atexit._run_exitfuncs()
    finally:
        os._exit(status)


def _exit_failed(boot: Boot, failure: BootFailure) -> NoReturn:
    boot.records.flush()
    channel.tell(boot.pipes.events, channel.FAILED, failure=failure.as_dict())
    exit_process(BOOT_FAILED)


def _new_loop() -> Any:
    """uvloop where the environment has it."""
    try:
        import uvloop  # type: ignore[import-not-found,unused-ignore]

        loop: Any = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
