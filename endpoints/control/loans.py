"""When a loan of the shared pool is to be warned of, ended and closed. Pure: no clock, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Turn(StrEnum):
    """What is due of a loan."""

    NOTHING = "nothing"
    WARN = "warn"  # its end is near, and nobody was told yet
    STOP = "stop"  # its time is over: the deployment is to stop
    CLOSE = "close"  # the deployment has stopped: the cores are free again


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan that is open. is_stopping: its deployment was told to stop; has_stopped: no instance of it is left."""

    lent_at: datetime
    ends_at: datetime
    is_warned: bool
    is_stopping: bool
    has_stopped: bool


def due(loan: Loan, now: datetime, *, warning: timedelta) -> Turn:
    """warning: how long before the end; of a short loan, half of it."""
    if loan.is_stopping:
        return Turn.CLOSE if loan.has_stopped else Turn.NOTHING
    if now >= loan.ends_at:
        return Turn.STOP
    notice = min(warning, (loan.ends_at - loan.lent_at) / 2)
    return Turn.WARN if not loan.is_warned and notice and now >= loan.ends_at - notice else Turn.NOTHING
