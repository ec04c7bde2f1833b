"""WORKER_PRELOAD: one process loads the script and calls init(), then forks the workers, which share its memory.

It stands between the supervisor and the workers and keeps their number. A script that awaits is not shared: an event
loop does not survive a fork, so each worker loads it for itself.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import Dict, NoReturn, Sequence

from . import channel, child, worker
from .child import Pipes
from .rendezvous import Rendezvous
from .settings import Settings
from .worker import Boot, LoopNeeded

logger = logging.getLogger("azmlinfsrv")

PAUSE_S = 0.5


def run(settings: Settings, rendezvous: Rendezvous, pipes: Sequence[Pipes], parent: int) -> NoReturn:
    """Never returns."""
    child.prepare_process(pipes[0], parent, name="slipway-nursery")
    boot = Boot(settings, pipes[0], is_shared=True)
    try:
        worker.load_or_exit(boot)
    except LoopNeeded:
        logger.warning("WORKER_PRELOAD is of no use to a script that awaits: each worker calls init() for itself.")
    if threading.active_count() > 1:
        logger.warning("init() started threads; they do not exist in preloaded workers. Unset WORKER_PRELOAD.")
    boot.records.flush()
    _Nursery(boot, rendezvous, pipes).keep()


class _Nursery:
    def __init__(self, boot: Boot, rendezvous: Rendezvous, pipes: Sequence[Pipes]) -> None:
        self._boot = boot
        self._rendezvous = rendezvous
        self._pipes = pipes
        self._places: Dict[int, int] = {}  # which pipes a worker has, by process id
        self._is_stopping = False

    def keep(self) -> NoReturn:
        signal.signal(signal.SIGTERM, lambda number, frame: self._stop())
        for place in range(len(self._pipes)):
            self._fork(place)
        while self._places:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            if pid not in self._places:
                continue  # a child of the script's own
            place = self._places.pop(pid)
            if self._is_stopping:
                continue
            self._save_last_words(self._pipes[place])
            channel.tell(self._pipes[place].events, channel.CRASHED, worker=pid, status=status)
            time.sleep(PAUSE_S)
            if not self._is_stopping:
                self._fork(place)
        child.exit_process(0)

    def _stop(self) -> None:
        self._is_stopping = True
        for pid in self._places:
            os.kill(pid, signal.SIGTERM)

    @staticmethod
    def _save_last_words(pipes: Pipes) -> None:
        """Lines that the crashed worker had not handed over yet."""
        os.write(pipes.records, pipes.ledger.read())
        pipes.ledger.clear()

    def _fork(self, place: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._places[pid] = place
            if self._is_stopping:  # the signal came in between
                os.kill(pid, signal.SIGTERM)
            return
        pipes = self._pipes[place]
        child.prepare_process(pipes, parent, name="slipway-worker")
        if self._boot.scorer is None:
            boot = Boot(self._boot.settings, pipes)
            worker.load_or_exit(boot)
            worker.serve(boot, self._rendezvous)
        self._boot.pipes = pipes
        self._boot.records.begin_process(pipes.records, pipes.ledger)
        worker.serve(self._boot, self._rendezvous)
