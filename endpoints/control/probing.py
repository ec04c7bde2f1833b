"""Asks instances over HTTP whether they are well, all at once, none of them for long.

A probe is one GET on a connection of its own: what it tests is that a new caller is served.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from endpoints.control.probes import Answer

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
_AT_ONCE = 100

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask, and how many seconds to wait for the status line."""

    host: str
    port: int
    path: str
    timeout_s: float


def ask_all(targets: Mapping[Name, Target]) -> dict[Name, Answer]:
    """Probe every target; takes as long as the slowest."""
    if not targets:
        return {}
    return asyncio.run(_ask_all(targets))


async def _ask_all(targets: Mapping[Name, Target]) -> dict[Name, Answer]:
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def ask_in_turn(target: Target) -> Answer:
        async with at_once:
            return await ask(target)

    answers = await asyncio.gather(*(ask_in_turn(target) for target in targets.values()))
    return dict(zip(targets, answers, strict=True))


async def ask(target: Target) -> Answer:
    """One probe. 200 to 399 is well, as everywhere."""
    try:
        async with asyncio.timeout(target.timeout_s):
            status = await _status(target)
    except TimeoutError:
        return Answer(is_ok=False, detail=f"no answer within {target.timeout_s:g} s")
    except ConnectionRefusedError:
        return Answer(is_ok=False, detail="connection refused")
    except OSError as failure:
        return Answer(is_ok=False, detail=failure.strerror or type(failure).__name__)
    if status is None:
        return Answer(is_ok=False, detail="the connection closed without an HTTP answer")
    return Answer(is_ok=200 <= status < 400, detail=f"HTTP status {status}")


async def _status(target: Target) -> int | None:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(_request(target))
        line = await reader.readline()
    except ValueError:  # a line longer than the reader holds
        return None
    finally:
        # Reset rather than linger: nobody reads the rest, and thousands of probes would leave as many closing sockets.
        writer.transport.abort()
    found = _STATUS_LINE.match(line)
    return int(found[1]) if found else None


def _request(target: Target) -> bytes:
    host = f"{target.host}:{target.port}"
    return (
        f"GET {target.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: slipway-probe\r\nConnection: close\r\n\r\n".encode()
    )
