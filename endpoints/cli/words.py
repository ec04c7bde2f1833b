"""The words of a command line before they are parsed: `ml` dropped, `-name` read as `--name`, what we lack refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from endpoints.cli.failures import UsageError

# Flags of `az ml` that mean something there which this command line does not do.
UNAVAILABLE = {
    "--vscode-debug": "attach a debugger to the instance's process instead",
    "--web": "open the endpoint's page in the studio instead",
    "--with-package": "the studio stages models without packaging; leave it out",
    "--package-model": "the studio stages models without packaging; leave it out",
}
_SINGLE_DASH = re.compile(r"-([a-z][a-z-]{2,})(=.*)?", re.DOTALL)


def take_local(words: Sequence[str]) -> tuple[list[str], bool]:
    """The words without `--local`, and whether it was there; `--local true` and `--local=false` are understood."""
    rest: list[str] = []
    is_local, follows = False, False
    for word in words:
        flag, equals, value = word.partition("=")
        if flag == "--local":
            is_local, follows = value.lower() != "false", not equals
        elif follows and word.lower() in {"true", "false"}:
            is_local, follows = word.lower() == "true", False
        else:
            rest.append(word)
            follows = False
    return rest, is_local


def normalise(words: Sequence[str], long_flags: Collection[str]) -> list[str]:
    """The words as the parser wants them. `long_flags`: every `--flag` there is. Raises UsageError."""
    rest = list(words[1:] if words and words[0].lower() == "ml" else words)
    for word in rest:
        flag = word.partition("=")[0]
        if flag in UNAVAILABLE:
            raise UsageError(f"{flag} is not available here: {UNAVAILABLE[flag]}.")
    return [_with_two_dashes(word, long_flags) for word in rest]


def _with_two_dashes(word: str, long_flags: Collection[str]) -> str:
    """`-name` for `--name`, where the word is a long flag or the start of one; `-nblue` stays what it is."""
    match = _SINGLE_DASH.fullmatch(word)
    if match and any(flag.startswith(f"--{match[1]}") for flag in long_flags):
        return f"-{word}"
    return word
