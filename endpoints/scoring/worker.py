"""A worker process from fork to exit: logs, the user's script, init(), then serving.

It finds the front at the rendezvous and has pipes to the supervisor; with a preloaded script its parent is the nursery.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from typing import Any, List, NoReturn, Optional, Tuple

from . import channel, child, compat, loader, logs
from .arguments import adapt
from .child import Pipes
from .failure import BAD_ARGUMENT, NOT_READY, BootFailure
from .rendezvous import Rendezvous
from .scorer import LogRequests, Scorer, is_async
from .serving import Serving, make_offer
from .settings import Settings
from .swagger import Swagger
from .wire import Offer

logger = logging.getLogger("azmlinfsrv")

BOOT_FAILED = 3


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
        self.scorer: Optional[Scorer] = None
        self.offer: Optional[Offer] = None

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
        log_requests = self._log_requests if has_own_logging else self._request_logger()
        self.scorer = Scorer(script, settings, log_requests=log_requests)
        documents = Swagger(script.run, settings).documents
        self.offer = make_offer(self.scorer, settings, documents=documents, has_own_logging=has_own_logging)
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

    def _request_logger(self) -> Optional[LogRequests]:
        return self.records.defer if logger.isEnabledFor(logging.INFO) else None

    @staticmethod
    def _log_requests(lines: List[Tuple[str, str]]) -> None:
        for line, _ in lines:
            logger.info("%s", line)


def run(settings: Settings, rendezvous: Rendezvous, pipes: Pipes, parent: int) -> NoReturn:
    """The whole life of a worker that loads the script itself. Never returns."""
    child.prepare_process(pipes, parent, name="slipway-worker")
    boot = Boot(settings, pipes)
    load_or_exit(boot)
    serve(boot, rendezvous)


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


def serve(boot: Boot, rendezvous: Rendezvous) -> NoReturn:
    """Answer until the front says goodbye. Never returns."""
    scorer, offer = boot.scorer, boot.offer
    assert scorer is not None and offer is not None  # noqa: S101
    loop = boot.loop or (_new_loop() if scorer.is_async else None)
    serving = Serving(scorer, offer, rendezvous, boot.settings, records=boot.records, loop=loop)

    def tell() -> None:
        logger.info("Worker with pid %d ready for serving traffic", os.getpid())
        channel.tell(boot.pipes.events, channel.READY)

    serving.run(tell)
    child.exit_process(0)


def _exit_failed(boot: Boot, failure: BootFailure) -> NoReturn:
    boot.records.flush()
    channel.tell(boot.pipes.events, channel.FAILED, failure=failure.as_dict())
    child.exit_process(BOOT_FAILED)


def _new_loop() -> Any:
    """uvloop where the environment has it."""
    try:
        import uvloop  # type: ignore[import-not-found,unused-ignore]

        loop: Any = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
