"""`python -m endpoints.local <words>`: the command line's verbs, carried out on this machine."""

from __future__ import annotations

import os
import sys

from endpoints.cli.failures import CommandFailed, UsageError
from endpoints.cli.program import Program, tell
from endpoints.cli.words import normalise
from endpoints.local.loader import LONG_FLAGS, LocalLoader

_NOUNS = ("online-endpoint", "online-deployment")


def main(words: list[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    given = sys.argv[1:] if words is None else words
    noun = next((word for word in given if word != "ml"), "")
    try:
        if noun not in _NOUNS and not noun.startswith("-"):
            raise UsageError(f"--local is for {' and '.join(_NOUNS)}; '{noun}' needs a studio.")
        return int(Program(LocalLoader).invoke(normalise(given, LONG_FLAGS)))
    except CommandFailed as failure:
        tell(failure)
        return failure.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Nothing that was being started is left running.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
