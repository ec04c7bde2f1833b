"""The gateway's first process: holds the sockets, starts workers and replaces them, and is their link to Redis.

It serves no request itself. SIGHUP starts a new generation of workers and lets the old one drain; SIGTERM ends all.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec
import uvloop
from redis.asyncio import Redis

from endpoints.gateway.admin import Admin
from endpoints.gateway.board import Board
from endpoints.gateway.compiled import is_compiled
from endpoints.gateway.handover import HandOver
from endpoints.gateway.link import (
    ORDERS_VARIABLE,
    Confirmed,
    Counted,
    Drain,
    FromWorker,
    Gone,
    Lines,
    Link,
    Orders,
    Paired,
    Ready,
    Wanted,
)
from endpoints.gateway.logfile import RotatedFile
from endpoints.gateway.metrics import render
from endpoints.gateway.pair_road import PairRoad
from endpoints.gateway.routes_feed import RoutesFeed
from endpoints.gateway.settings import BadSetting, Settings, read_settings
from endpoints.gateway.sockets import PortTaken, bind
from endpoints.gateway.totals import Totals
from endpoints.gateway.wakes import Wakes
from endpoints.spec.counters import CounterBatch

logger = logging.getLogger(__name__)

READY_SECONDS = 30.0
FIRST_RESPAWN_SECONDS = 0.1
LONGEST_RESPAWN_SECONDS = 5.0
STOP_SECONDS = 10.0


class WorkerHandle:
    """One worker as the master sees it."""

    def __init__(self, source: str, slot: int, column: int) -> None:
        self.source = source
        self.slot = slot
        self.column = column
        self.process: asyncio.subprocess.Process | None = None
        self.link: Link | None = None
        self.ready = asyncio.Event()
        self.is_leaving = False
        self.routes_version = 0

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0


class Master:
    """Keeps one worker a slot alive."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._board = Board.create()
        self._board.enlist(0)  # the master's own column, never used for counting
        self._listeners: list[socket.socket] = []
        self._tls_listeners: list[socket.socket] = []
        self._workers: set[WorkerHandle] = set()
        self._totals = Totals()
        self._redis = Redis.from_url(settings.redis_url, socket_timeout=5) if settings.redis_url else None
        self._handover = HandOver(self._redis, settings.home)
        self._pair_road = PairRoad(self._redis)
        self._access_log = RotatedFile(settings.home.gateway / "access.jsonl")
        self._started = 0
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._wakes = Wakes(self._redis, self._name) if self._redis is not None else None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_stopping = asyncio.Event()
        self._is_renewing = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises PortTaken."""
        settings = self._settings
        orphans = _orphans(settings)
        self._listen(may_share=bool(orphans) or settings.is_port_shared)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._is_stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._renew()))
        await self._start_generation()
        for pid in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        self._spawn(self._handover.run())
        self._spawn(self._pair_road.run())
        if self._redis is not None:
            self._spawn(RoutesFeed(self._redis, settings.home.routes_file).run())
        if self._wakes is not None:
            self._spawn(self._wakes.run())
            self._spawn(self._wakes.beat())
        await self._open_admin()
        host, port = self._listeners[0].getsockname()[:2]
        how = "compiled" if is_compiled() else "interpreted"
        logger.info("the gateway serves on %s:%s with %d processes, %s", host, port, settings.processes, how)
        await self._is_stopping.wait()
        await self._stop()

    def _listen(self, *, may_share: bool) -> None:
        settings = self._settings
        count = settings.processes
        self._listeners = bind(settings.bind, settings.port, count=count, may_share=may_share)
        if settings.tls_certificate is not None and settings.tls_port:
            self._tls_listeners = bind(settings.bind, settings.tls_port, count=count, may_share=may_share)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Workers -------------------------------------------------------------------------------------------------

    async def _start_generation(self) -> None:
        """One new worker a slot, all accepting when this returns (or given up on, with a word in the log)."""
        handles = [await self._start_worker(slot) for slot in range(self._settings.processes)]
        try:
            async with asyncio.timeout(READY_SECONDS):
                await asyncio.gather(*(handle.ready.wait() for handle in handles))
        except TimeoutError:
            logger.error("a worker did not become ready within %d s", READY_SECONDS)

    async def _start_worker(self, slot: int) -> WorkerHandle:
        self._started += 1
        column = self._board.free_column()
        self._board.enlist(column)
        handle = WorkerHandle(f"{self._name}-{self._started}", slot, column)
        ours, theirs = socket.socketpair()
        listener = self._listeners[slot].fileno()
        secure = self._tls_listeners[slot].fileno() if self._tls_listeners else -1
        orders = Orders(handle.source, column, self._board.fd, theirs.fileno(), listener, secure)
        inherited = [
            descriptor for descriptor in (self._board.fd, theirs.fileno(), listener, secure) if descriptor >= 0
        ]
        handle.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "endpoints.gateway.worker",
            env={**self._environ, ORDERS_VARIABLE: msgspec.json.encode(orders).decode()},
            pass_fds=inherited,
        )
        theirs.close()
        link = handle.link = Link(lambda message: self._on_message(handle, message), lambda: None)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
        self._workers.add(handle)
        _note_worker(self._settings, handle.pid)
        self._spawn(self._watch(handle, handle.process))
        return handle

    async def _watch(self, handle: WorkerHandle, process: asyncio.subprocess.Process) -> None:
        started_at = time.monotonic()
        code = await process.wait()
        self._workers.discard(handle)
        self._board.clear(handle.column)
        self._totals.forget(handle.source)
        _forget_worker(self._settings, process.pid)
        if handle.link is not None:
            handle.link.close()
        if handle.is_leaving or self._is_stopping.is_set():
            return
        lived = time.monotonic() - started_at
        pause = FIRST_RESPAWN_SECONDS if lived > 10 else min(LONGEST_RESPAWN_SECONDS, 1.0)
        logger.error("worker %d ended with %s; a new one starts in %.1f s", process.pid, code, pause)
        await asyncio.sleep(pause)
        if not self._is_stopping.is_set():
            await self._start_worker(handle.slot)

    def _on_message(self, handle: WorkerHandle, message: bytes) -> None:
        said = msgspec.json.decode(message, type=FromWorker)
        if isinstance(said, Ready):
            handle.routes_version = said.routes_version
            handle.ready.set()
        elif isinstance(said, Counted):
            encoded = bytes(said.batch)
            self._handover.take(said.id, encoded)
            self._totals.add(msgspec.json.decode(encoded, type=CounterBatch))
            if handle.link is not None:
                handle.link.send(Confirmed(said.id))
        elif isinstance(said, Wanted):
            if self._wakes is not None:
                self._wakes.ask(said.endpoint, said.deployment, said.waiting)
        elif isinstance(said, Lines):
            self._access_log.append(said.text)
        elif isinstance(said, Paired):
            self._pair_road.take(said.id, said.batch)
        elif isinstance(said, Gone):
            handle.is_leaving = True

    async def _renew(self) -> None:
        """A new generation accepts before the old one is told to drain."""
        if self._is_renewing:
            return
        self._is_renewing = True
        try:
            old = tuple(self._workers)
            await self._start_generation()
            for handle in old:
                self._drain(handle, self._settings.drain_seconds, has_successor=True)
        finally:
            self._is_renewing = False

    def _drain(self, handle: WorkerHandle, seconds: float, *, has_successor: bool) -> None:
        handle.is_leaving = True
        if handle.link is not None:
            handle.link.send(Drain(seconds, has_successor))

    async def _stop(self) -> None:
        seconds = min(self._settings.drain_seconds, STOP_SECONDS)
        processes = [handle.process for handle in self._workers if handle.process is not None]
        for handle in tuple(self._workers):
            self._drain(handle, seconds, has_successor=False)
        for listener in (*self._listeners, *self._tls_listeners):
            listener.close()
        try:
            async with asyncio.timeout(seconds + 3):
                await asyncio.gather(*(process.wait() for process in processes))
        except TimeoutError:
            for process in processes:
                if process.returncode is None:
                    process.kill()
        for task in tuple(self._tasks):
            task.cancel()
        if self._wakes is not None:
            await self._wakes.leave()
        self._handover.close()

    # What it shows -------------------------------------------------------------------------------------------

    async def _open_admin(self) -> None:
        if not self._settings.admin_port:
            return
        try:
            await Admin(self._metrics, self._health).serve("127.0.0.1", self._settings.admin_port)
        except OSError as error:
            logger.error("no metrics: port %d cannot be used: %s", self._settings.admin_port, error.strerror)

    def _metrics(self) -> str:
        version = max((handle.routes_version for handle in self._workers), default=0)
        return render(
            self._totals,
            routes_version=version,
            processes=len(self._workers),
            unsent=len(self._handover),
            is_compiled=is_compiled(),
            pairs_lost=self._pair_road.batches_dropped,
        )

    def _health(self) -> str:
        pids = sorted(handle.pid for handle in self._workers)
        return msgspec.json.encode({"status": "ok", "master": os.getpid(), "workers": pids}).decode()


def _worker_folder(settings: Settings) -> Path:
    return settings.own_folder / "workers"


def _note_worker(settings: Settings, pid: int) -> None:
    folder = _worker_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(pid)).touch()


def _forget_worker(settings: Settings, pid: int) -> None:
    (_worker_folder(settings) / str(pid)).unlink(missing_ok=True)


def _orphans(settings: Settings) -> list[int]:
    """Workers of a master that was killed, still serving."""
    found = []
    folder = _worker_folder(settings)
    for file in folder.iterdir() if folder.is_dir() else ():
        try:
            command = (Path("/proc") / file.name / "cmdline").read_bytes()
        except OSError:
            command = b""
        if b"endpoints.gateway.worker" in command:
            found.append(int(file.name))
        else:
            file.unlink(missing_ok=True)
    return found


def _lock(settings: Settings) -> IO[str] | None:
    """One master for a home, or for a member of those that share it; the file names its process id. None when
    another one has it."""
    settings.own_folder.mkdir(parents=True, exist_ok=True)
    file = (settings.own_folder / "master.pid").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def forget_dead_members(settings: Settings) -> None:
    """Folders of gateways that shared this home and are gone: nobody holds their lock."""
    for file in settings.home.gateway.glob("members/*/master.pid") if settings.is_port_shared else ():
        with suppress(OSError), file.open("a+", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(file.parent, ignore_errors=True)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run until told to stop. 1: could not start, with one line that says why."""
    logging.basicConfig(
        level=environ.get("SLIPWAY_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s gateway[%(process)d] %(message)s",
        stream=sys.stderr,
    )
    try:
        settings = read_settings(environ)
        forget_dead_members(settings)
        lock = _lock(settings)
        if lock is None:
            raise BadSetting(f"A gateway is running for {settings.home.root} already (kill -HUP renews it).")

        async def serve() -> None:
            await Master(settings, environ).run()

        with lock:
            uvloop.run(serve())
    except (BadSetting, PortTaken) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    return 0
