"""What building an environment gives, for every kind of builder: a result, a refusal with its cause, or a stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from endpoints.spec.failure import Failure


class BuildFailed(Exception):
    """The environment cannot be built as it stands; `failure` says why and what to change."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class BuildCanceled(Exception):
    """The caller asked to stop; nothing that looks finished is left."""


@dataclass
class Told:
    """What is to be known of a build under way besides its log. bases: the images it began from."""

    bases: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str, say: Callable[..., None]) -> None:
        """Note it, and say it in the log."""
        self.warnings.append(text)
        say(text, "WARNING")


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A build that can be used. Exactly one of `python` and `image` is set.

    python_requested: as the user wrote it, "" when left open. seconds: 0 when `is_cached`. bases: the images an image
    was built on, after the image map.
    """

    key: str
    python: Path | None
    python_requested: str
    python_used: str
    warnings: tuple[str, ...]
    size_bytes: int
    seconds: float
    is_cached: bool
    image: str = ""
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredBuild:
    """A finished build on disk."""

    key: str
    size_bytes: int
    built_at: datetime
    last_used_at: datetime
