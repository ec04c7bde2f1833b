"""Why something failed, in the one shape that build, scoring server, reconciler, API and pages share."""

from __future__ import annotations

import msgspec

from endpoints.spec.states import FailureCode


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failure that explains itself.

    code: one of contract B7.
    message: the cause in one sentence a data scientist understands.
    advice: what to do about it; "" where nothing is known.
    file, line: the place in the user's script or build file, where there is one.
    log_tail: the last lines of the log that tells it, oldest first.
    """

    code: FailureCode
    message: str
    advice: str = ""
    file: str = ""
    line: int | None = None
    log_tail: tuple[str, ...] = ()
