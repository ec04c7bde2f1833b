"""uv's last words, told as a cause and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from endpoints.environments.package_index import without_credentials
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

_TAIL_LINES = 30
_UNBUILT = re.compile(r"(?:Failed to build|Failed to download and build)\s+`?([\w.-]+(?:==[^\s`]+)?)")
_COMPILER = re.compile(
    r"\b(gcc|g\+\+|cc|clang|cmake|ninja|rustc|cargo|gfortran|Python\.h)\b[^.]*(not found|No such file|not installed)"
    r"|command '[^']*(gcc|cc|clang)[^']*' failed|Unknown compiler"
)


def explain(output: Sequence[str], *, python_version: str) -> Failure:
    """The failure of a uv run from its output lines. The first cause that fits wins: they go from sure to vague."""
    text = " ".join(" ".join(line.strip(" │├╰─▶") for line in output).split())
    message, advice = _cause(text, python_version)
    return Failure(
        code=FailureCode.IMAGE_BUILD_FAILURE,
        message=without_credentials(message),
        advice=advice,
        log_tail=tuple(without_credentials(line) for line in output[-_TAIL_LINES:]),
    )


def _cause(text: str, python_version: str) -> tuple[str, str]:
    for look in (_disk_full, _network, _not_found, _wrong_python, _no_version, _needs_compiler, _conflict):
        if found := look(text, python_version):
            return found
    return (
        "The packages could not be installed.",
        "The last lines of the build log say why; change the environment accordingly.",
    )


def _disk_full(text: str, _: str) -> tuple[str, str] | None:
    if not re.search(r"No space left on device|os error 28|Disk quota exceeded", text):
        return None
    return "The disk is full.", "Free space on the disk that holds the studio's data or uv's cache, then retry."


def _network(text: str, _: str) -> tuple[str, str] | None:
    if not (match := re.search(r"Failed to (?:fetch|download)[^`]*`([^`]*)`", text)):
        return None
    if re.search(r"certificate|UnknownIssuer|InvalidCertificate", text):
        return (
            f"The certificate of the package index was not accepted ({match[1]}).",
            "Behind a company proxy set SSL_CERT_FILE, or `cert` in pip's configuration, to your certificate bundle.",
        )
    if re.search(r"40[13] (?:Unauthorized|Forbidden)|status client error \(40[13]", text):
        return (
            f"The package index refused access ({match[1]}).",
            "Check user and password of the index in pip's or uv's configuration.",
        )
    return (
        f"The package index could not be reached ({match[1]}).",
        "Check this host's network and the index set for pip or uv (index-url), then retry.",
    )


def _not_found(text: str, _: str) -> tuple[str, str] | None:
    match = re.search(r"Because (\S+) was not found in the (?:package registry|provided package locations)", text)
    if not match:
        return None
    name = re.split(r"[=<>!~\[]", match[1])[0]
    advice = (
        f"Check the spelling of {name!r}. A conda package that is no Python package must be left out; "
        "a package of your own needs its index given with --extra-index-url."
    )
    return f"There is no package {name!r} on the package index.", advice


def _wrong_python(text: str, python_version: str) -> tuple[str, str] | None:
    if match := re.search(r"(\S+) (?:depends on|requires) Python\s?([<>=!~][^\s,]*(?:,[<>=!~][^\s]*)*)", text):
        return (
            f"{match[1]} needs Python {match[2]}, and this environment has {python_version}.",
            "Ask for another Python in the conda file (`python=3.x`), or for another version of the package.",
        )
    if match := re.search(r"Because (\S+) has no wheels with a matching (?:Python|platform|Python ABI)[^,]*tag", text):
        return (
            f"{match[1]} has no build for Python {python_version} on this platform.",
            "Ask for another Python in the conda file (`python=3.x`), or for another version of the package.",
        )
    return None


def _no_version(text: str, python_version: str) -> tuple[str, str] | None:
    if match := re.search(r"there (?:is|are) no versions? of ([\w.-]+)(\S*)", text):
        wanted = match[2] or "what is asked for"
        return (
            f"There is no {match[1]} in a version that fits {wanted} (Python {python_version}).",
            f"Ask for a version of {match[1]} that exists for Python {python_version}, or loosen the pin.",
        )
    if match := re.search(r"[Oo]nly (?:the following versions of )?(\S+) (?:are|is) available", text):
        return (
            f"The version of {re.split(r'[=<>!~]', match[1])[0]} that is asked for does not exist.",
            "The last lines of the build log list what is available; pin one of those.",
        )
    return None


def _needs_compiler(text: str, _: str) -> tuple[str, str] | None:
    match = _UNBUILT.search(text)
    if not match:
        return None
    if _COMPILER.search(text):
        advice = (
            "It has no ready-made wheel for this Python and needs a compiler. Ask for a version that has wheels, "
            "for another Python, or install the compiler it names on this host."
        )
    else:
        advice = (
            "It has no ready-made wheel for this Python and building it from source failed; the log says where. "
            "Ask for a version that has wheels, or for another Python."
        )
    return f"{match[1]} could not be built from source.", advice


def _conflict(text: str, _: str) -> tuple[str, str] | None:
    if "No solution found" not in text and "unsatisfiable" not in text:
        return None
    reasons = re.findall(r"(?:Because|And because) (.+?)(?:, we can conclude| \(\d+\)\s|$)", text)
    reason = re.sub(r"\{[^}]*\}", "", ", and ".join(reasons)) or "their requirements contradict each other"
    return (
        f"The packages cannot be installed together: {reason[:400].rstrip('. ')}.",
        "Loosen one of the pins named here so that both sides can be met.",
    )
