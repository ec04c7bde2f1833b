"""Domain errors. They know no HTTP: one table in `endpoints.api.errors` maps them to status codes.

Every message is a sentence a person can act on. `code` is a stable word for programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    field: dotted path in the user's document (`request_settings.request_timeout_ms`), "" for the whole.
    message: what was wrong and what to do.
    line: 1-based line in the document the user wrote, None where there was no text.
    """

    field: str
    message: str
    line: int | None = None


class SlipwayError(Exception):
    """The root of what a caller may have to tell a person."""

    code = "Error"

    def __init__(self, message: str, *, details: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)


class Invalid(SlipwayError):
    """The request's content is wrong; `details` names every field at once."""

    code = "ValidationError"


class UnusableModel(Invalid):
    """The files of a model are not what its type says, or cannot be served as asked."""

    code = "BadArgument"


class NotFound(SlipwayError):
    """There is no such thing, or the caller may not know of it."""

    code = "ResourceNotFound"


class Forbidden(SlipwayError):
    """The caller may see the thing but not do this. `action` is Azure's action string that is missing."""

    code = "AuthorizationFailed"

    def __init__(self, message: str, *, action: str) -> None:
        super().__init__(message)
        self.action = action


class Conflict(SlipwayError):
    """The state of the thing does not allow it now (exists already, has traffic, an operation is running)."""

    code = "Conflict"


class OutOfQuota(SlipwayError):
    """Not enough quota; the message spells out the arithmetic and what would fit."""

    code = "OutOfQuota"


class LimitExceeded(SlipwayError):
    """An upload, archive or document is beyond a limit; the message names limit and size."""

    code = "LimitExceeded"


class Unavailable(SlipwayError):
    """A part of the studio that is needed does not answer now (gateway, broker); try again."""

    code = "ServiceUnavailable"
