"""`slipway environment …`"""

from __future__ import annotations

import sys
from pathlib import Path

from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, FileSender, Words
from endpoints.cli.session import open_session
from endpoints.spec.documents import EnvironmentDocument


def create(
    name: str | None = None,
    version: str | None = None,
    file: str | None = None,
    image: str | None = None,
    conda_file: str | None = None,
    build_context: str | None = None,
    dockerfile_path: str | None = None,
    os_type: str | None = None,
    description: str | None = None,
    set_values: Words = None,
) -> Json:
    """Register an environment: an image, the packages of a conda file, or both."""
    build = {"path": str(Path(build_context).resolve())} if build_context else None
    if build and dockerfile_path:
        build["dockerfile_path"] = dockerfile_path
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    draft = draft.with_values(
        name=name,
        version=version,
        image=image,
        conda_file=str(Path(conda_file).resolve()) if conda_file else None,
        build=build,
        os_type=os_type,
        description=description,
    )
    document = draft.read(EnvironmentDocument)
    with open_session() as session, draft.lines_told():
        document = FileSender(session.uploader, draft.folder).environment(document)
        created: Json = session.client.post("environments", json=document.to_json())
        return created


def show(name: str, version: str | None = None, label: str | None = None) -> Json:
    """Show one version of an environment; the latest unless told otherwise."""
    with open_session() as session:
        found: Json = session.client.get("environments", name, "versions", version or label or "latest")
        return found


def list_(name: str | None = None, include_archived: bool = False) -> list[Json]:
    """List environments, or the versions of one."""
    path = ("environments", name, "versions") if name else ("environments",)
    with open_session() as session:
        return session.client.list_all(*path, include_archived=include_archived)


def archive(name: str, version: str | None = None) -> None:
    """Hide an environment, or one version of it, from lists and from @latest."""
    _mark(name, version, "archive")


def restore(name: str, version: str | None = None) -> None:
    """Bring an archived environment, or one version of it, back."""
    _mark(name, version, "restore")


def _mark(name: str, version: str | None, verb: str) -> None:
    with open_session() as session:
        path = ("environments", name, "versions", version, verb) if version else ("environments", name, verb)
        session.client.post(*path)


def build(name: str, version: str | None = None, no_wait: bool = False) -> Json:
    """Build an environment now, rather than when a deployment first needs it, and show the log."""
    wanted = version or "latest"
    with open_session() as session:
        session.client.post("environments", name, "versions", wanted, "build")
        if not no_wait:
            for line in session.client.lines("environments", name, "versions", wanted, "build-log", follow=True):
                sys.stderr.write(f"{line}\n")
        found: Json = session.client.get("environments", name, "versions", wanted)
        return found


def build_log(name: str, version: str | None = None, follow: bool = False) -> None:
    """Print the log of an environment's build."""
    with open_session() as session:
        for line in session.client.lines(
            "environments", name, "versions", version or "latest", "build-log", follow=follow
        ):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
