"""Counts that all gateway processes share: an anonymous memory file with a column for each process.

A process writes its own column only, and a total is the sum over a row, so no lock is needed on the request path.
Rows are claimed under a lock when routes change. The master clears the column of a
process that ended, however it ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

COLUMNS: Final = 64
ROWS: Final = 1 << 16
_KEYS_AT: Final = COLUMNS  # after one byte a column that says whether it lives
_CLAIMS_AT: Final = _KEYS_AT + ROWS * 8
_CELLS_AT: Final = _CLAIMS_AT + ROWS * COLUMNS
_BYTES: Final = _CELLS_AT + ROWS * COLUMNS * 4


class BoardFull(Exception):
    """More names at once than there are rows."""


class Board:
    """The shared memory as one process sees it; `column` is its own, the master's is 0 and counts nothing."""

    def __init__(self, fd: int, column: int) -> None:
        self.fd = fd
        self.column = column
        view = memoryview(mmap.mmap(fd, _BYTES))
        self._alive = view[:COLUMNS]
        self._keys = view[_KEYS_AT:_CLAIMS_AT].cast("Q")
        self._claims = view[_CLAIMS_AT:_CELLS_AT]
        self.cells = view[_CELLS_AT:].cast("i")
        self.others: tuple[int, ...] = ()
        self.look_around()

    @classmethod
    def create(cls) -> Board:
        """A new one, in no file system; children inherit its descriptor."""
        fd = os.memfd_create("slipway-gateway-board", 0)
        os.ftruncate(fd, _BYTES)
        return cls(fd, 0)

    def enlist(self, column: int) -> None:
        """The master: a process with this column is about to start."""
        self._alive[column] = 1

    def clear(self, column: int) -> None:
        """The master: the process with this column is gone."""
        with self._locked():
            self._alive[column] = 0
            start = column * ROWS
            self._claims[start : start + ROWS] = bytes(ROWS)
            self.cells[start : start + ROWS] = memoryview(bytes(ROWS * 4)).cast("i")

    def free_column(self) -> int:
        """The master: a column that no process has."""
        return next(column for column in range(COLUMNS) if not self._alive[column])

    def look_around(self) -> None:
        """Note which other processes live; called once in a while, not on the request path."""
        self.others = tuple(column * ROWS for column in range(COLUMNS) if self._alive[column] and column != self.column)

    def claim(self, name: str) -> int:
        """The row of `name`, the same in every process. Raises BoardFull."""
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1
        with self._locked():
            reusable = -1
            for step in range(ROWS):
                row = (key + step) % ROWS
                held = self._keys[row]
                if held == key:
                    break
                if reusable < 0 and (not held or not self._is_claimed(row)):
                    reusable = row
                if not held:
                    row = reusable
                    break
            else:
                row = reusable
            if row < 0:
                raise BoardFull
            if self._keys[row] != key:
                self._keys[row] = key
            self._claims[self.column * ROWS + row] = 1
            return row

    def release(self, row: int) -> None:
        """This process needs the row no longer."""
        with self._locked():
            self._claims[self.column * ROWS + row] = 0
            self.cells[self.column * ROWS + row] = 0

    def _is_claimed(self, row: int) -> bool:
        return any(self._claims[column * ROWS + row] for column in range(COLUMNS))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self.fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)


class Tally:
    """One shared count. `own` is this process's part of it; alone, a process may change it without showing it."""

    __slots__ = ("_board", "_cell", "_row", "own")

    def __init__(self, board: Board, name: str) -> None:
        self._board = board
        self._row = board.claim(name)
        self._cell = board.column * ROWS + self._row
        self.own = 0

    def enter(self) -> None:
        self.own += 1
        self._board.cells[self._cell] = self.own

    def leave(self) -> None:
        self.own -= 1
        self._board.cells[self._cell] = self.own

    def show(self) -> None:
        """Let the other processes see a part that was changed by hand."""
        self._board.cells[self._cell] = self.own

    def put(self, value: int) -> None:
        """Set this process's part."""
        self.own = value
        self._board.cells[self._cell] = value

    def total(self) -> int:
        """Over all processes."""
        others = self._board.others
        if not others:
            return self.own
        cells, row = self._board.cells, self._row
        return self.own + sum([cells[start + row] for start in others])

    def of_others(self) -> list[int]:
        """The other processes' parts, one by one."""
        return [self._board.cells[start + self._row] for start in self._board.others]

    def release(self) -> None:
        """Give the row back; the tally must not be used any more."""
        self._board.release(self._row)
