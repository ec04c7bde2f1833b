"""A build context with a Dockerfile of its own, built as it is; only a base that cannot be had is replaced."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import docker
import requests
import urllib3
from docker.errors import APIError

from endpoints.environments.builds import BuildCanceled, BuildFailed
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

_FROM = re.compile(r"^(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)", re.IGNORECASE | re.MULTILINE)
_TAIL_LINES = 30
_LOOK_S = 0.1


def build_context(
    client: docker.DockerClient,
    folder: Path,
    *,
    dockerfile: str,
    tag: str,
    base_for: Callable[[str], str],
    say: Callable[[str], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Build `folder` into the image `tag`, its steps to `say`.

    base_for: the image to build on for one that a FROM line names. Raises BuildFailed with the step that failed.
    """
    path = folder / dockerfile
    if not path.is_file():
        raise _failed(f"The build context has no file {dockerfile!r}.", [], "Set build.dockerfile_path to the file.")
    path.write_text(_with_bases(path.read_text(encoding="utf-8"), base_for), encoding="utf-8")
    lines: list[str] = []
    try:
        for event in _events(client, is_cancelled, path=str(folder), dockerfile=dockerfile, tag=tag):
            for line in event.get("stream", "").splitlines():
                if line.strip():
                    lines.append(line.rstrip())
                    say(lines[-1])
            if error := event.get("error"):
                step = next((line for line in reversed(lines) if line.startswith("Step ")), "the build")
                raise _failed(f"{step} failed: {error.strip()}", lines, "Mend this line of the Dockerfile.")
    except APIError as error:
        raise _failed(f"The Dockerfile cannot be built: {error.explanation}.", lines, "Mend the Dockerfile.") from error


def _events(
    client: docker.DockerClient, is_cancelled: Callable[[], bool], *, path: str, dockerfile: str, tag: str
) -> Iterator[dict[str, Any]]:
    """What the engine tells of a build. Raises BuildCanceled as soon as `is_cancelled()` says so.

    A step may be silent for minutes, so a thread watches beside it: it hangs up, and the engine gives the build up.
    """
    answers: list[requests.Response] = []
    finished, was_cancelled = threading.Event(), threading.Event()

    def note(answer: requests.Response, **_: object) -> None:
        if quote_plus(tag) in answer.url:
            answers.append(answer)

    def watch() -> None:
        while not finished.wait(_LOOK_S):
            if is_cancelled() and answers:
                was_cancelled.set()
                with contextlib.suppress(ValueError, RuntimeError, OSError):  # it has just ended by itself
                    answers[-1].raw.shutdown()
                return

    watcher = threading.Thread(target=watch, name="image-build-watch", daemon=True)
    client.api.hooks["response"].append(note)
    watcher.start()
    try:
        yield from client.api.build(path=path, dockerfile=dockerfile, tag=tag, decode=True, forcerm=True)
    except (OSError, urllib3.exceptions.HTTPError):
        if not was_cancelled.is_set():
            raise
    finally:
        finished.set()
        watcher.join()
        client.api.hooks["response"].remove(note)
        for answer in answers:
            answer.close()
    if was_cancelled.is_set() or is_cancelled():
        raise BuildCanceled


def _with_bases(text: str, base_for: Callable[[str], str]) -> str:
    """The Dockerfile on bases that are there; names of its own stages and of arguments stay."""
    stages = {name.lower() for name in re.findall(r"^\s*FROM\s+.*\s+AS\s+(\S+)", text, re.IGNORECASE | re.MULTILINE)}

    def replaced(match: re.Match[str]) -> str:
        name = match[2]
        is_own = name.lower() in stages or name == "scratch" or "$" in name
        return match[0] if is_own else f"{match[1]}{base_for(name)}"

    return _FROM.sub(replaced, text)


def _failed(message: str, lines: list[str], advice: str) -> BuildFailed:
    return BuildFailed(
        Failure(
            code=FailureCode.IMAGE_BUILD_FAILURE, message=message, advice=advice, log_tail=tuple(lines[-_TAIL_LINES:])
        )
    )
