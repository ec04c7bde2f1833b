"""The front's process from fork to exit."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import traceback
from typing import NoReturn, Sequence

from .. import child, logs
from ..child import Pipes
from ..rendezvous import Rendezvous
from ..settings import Settings
from .clients import Clients
from .front import Front
from .links import Links
from .poller import Poller
from .request_log import RequestLog
from .roster import Roster
from .routes import Routes

logger = logging.getLogger("azmlinfsrv")


def run(
    settings: Settings, listeners: Sequence[socket.socket], rendezvous: Rendezvous, pipes: Pipes, parent: int
) -> NoReturn:
    """Never returns."""
    child.prepare_process(pipes, parent, name="slipway-front")
    records = logs.RecordPipe(pipes.records, pipes.ledger)
    logs.set_up(records, level=settings.log_level, folders=[])
    try:
        _serve(settings, listeners, rendezvous, records)
    except BaseException:  # noqa: BLE001  a defect of ours; the supervisor starts another
        logger.critical("%s", traceback.format_exc())
        records.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def _serve(
    settings: Settings, listeners: Sequence[socket.socket], rendezvous: Rendezvous, records: logs.RecordPipe
) -> None:
    poller = Poller()
    clients = Clients(poller, listeners)
    links = Links(poller, rendezvous)
    roster = Roster(batch_wait_s=settings.batch_max_wait_ms / 1000)
    routes = Routes(settings, RequestLog(records, links), roster.silences)
    wake_read, wake_write = os.pipe()  # a signal ends the wait for something to happen
    os.set_blocking(wake_write, False)
    front = Front(
        poller,
        clients,
        links,
        roster,
        routes,
        flush=records.flush,
        wake=wake_read,
        is_busy_polling=settings.is_busy_polling,
    )

    def stop(number: int, frame: object) -> None:
        front.is_stopping = True

    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, stop)
    gc.freeze()
    front.serve(graceful_timeout_s=settings.graceful_timeout_s)
