"""What disk and store may raise, as the two errors of the contract; and names that must stay one part of a path."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from endpoints.assets import MissingAsset
from endpoints.backends.base import Permanent, Temporary
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode


@contextlib.contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except MissingAsset as error:
        raise Permanent(
            Failure(
                code=FailureCode.RESOURCE_NOT_FOUND,
                message=f"A file this deployment needs is not in the store: {error}.",
                advice="Register the model or code again and update the deployment.",
            )
        ) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Temporary("The disk that holds the studio's data is full.", retry_in=30.0) from error
        raise Temporary(f"The host refused: {error}.", retry_in=5.0) from error


def part(name: str) -> str:
    """`name` when it can be one part of a path; names come validated, this keeps a slip from leaving the folder."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise Permanent(Failure(code=FailureCode.BAD_ARGUMENT, message=f"{name!r} cannot name a folder."))
    return name
