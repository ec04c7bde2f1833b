"""A build context with a Dockerfile of its own, built as it is; only a base that cannot be had is replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import APIError

from endpoints.assets import Tree
from endpoints.environments.builds import BuildCanceled, BuildFailed
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

# Azure's limits for the build context of an environment.
MAX_FILES = 100
MAX_BYTES = 1024 * 1024
_FROM = re.compile(r"^(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)", re.IGNORECASE | re.MULTILINE)
_TAIL_LINES = 30


def check_limits(tree: Tree) -> None:
    """Raise BuildFailed for a context beyond the limits, naming both."""
    if tree.file_count > MAX_FILES or tree.size_bytes > MAX_BYTES:
        raise BuildFailed(
            Failure(
                code=FailureCode.IMAGE_BUILD_FAILURE,
                message=f"The build context has {tree.file_count:,} files and {tree.size_bytes:,} bytes; "
                f"at most {MAX_FILES} files and {MAX_BYTES:,} bytes are allowed.",
                advice="Leave out what the Dockerfile does not copy; code and models belong to the deployment.",
            )
        )


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
        for event in client.api.build(path=str(folder), dockerfile=dockerfile, tag=tag, decode=True, forcerm=True):
            if is_cancelled():
                raise BuildCanceled
            for line in event.get("stream", "").splitlines():
                if line.strip():
                    lines.append(line.rstrip())
                    say(lines[-1])
            if error := event.get("error"):
                step = next((line for line in reversed(lines) if line.startswith("Step ")), "the build")
                raise _failed(f"{step} failed: {error.strip()}", lines, "Mend this line of the Dockerfile.")
    except APIError as error:
        raise _failed(f"The Dockerfile cannot be built: {error.explanation}.", lines, "Mend the Dockerfile.") from error


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
