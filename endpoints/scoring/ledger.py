"""Memory that a worker shares with its supervisor: log lines wait there without a system call and outlive a crash."""

from __future__ import annotations

import mmap
import struct

SIZE = 64 * 1024
_LENGTH = struct.Struct("=I")


class Ledger:
    """Bytes in the order they were added. Locking is the caller's business."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self._used = _LENGTH.size

    @property
    def is_empty(self) -> bool:
        return self._used == _LENGTH.size

    def append(self, data: bytes) -> bool:
        """False when there is no room."""
        end = self._used + len(data)
        if end > SIZE:
            return False
        self._memory[self._used : end] = data
        self._used = end
        _LENGTH.pack_into(self._memory, 0, end - _LENGTH.size)
        return True

    def read(self) -> bytes:
        """What is there, whichever process put it there."""
        (length,) = _LENGTH.unpack_from(self._memory, 0)
        return self._memory[_LENGTH.size : _LENGTH.size + length]

    def clear(self) -> None:
        self._used = _LENGTH.size
        _LENGTH.pack_into(self._memory, 0, 0)

    def close(self) -> None:
        self._memory.close()
