"""`slipway model …`"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, FileSender, Words
from endpoints.cli.failures import CommandFailed, UsageError
from endpoints.cli.session import Session, open_session
from endpoints.cli.terminal import size
from endpoints.spec.documents import ModelDocument
from endpoints.spec.format_2021 import convert_model


def create(
    name: str | None = None,
    version: str | None = None,
    file: str | None = None,
    path: str | None = None,
    model_type: str | None = None,
    description: str | None = None,
    set_values: Words = None,
) -> Json:
    """Register a model: upload its file or folder under a name and a version."""
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    absolute = str(Path(path).resolve()) if path else None
    draft = draft.with_values(name=name, version=version, path=absolute, type=model_type, description=description)
    draft = dataclasses.replace(draft, source=convert_model(draft.source))
    document = draft.read(ModelDocument)
    with open_session() as session, draft.lines_told():
        sender = FileSender(session.uploader, draft.folder)
        location = sender.location(document.path, purpose="model", field="path")
        created: Json = session.client.post("models", json=dataclasses.replace(document, path=location).to_json())
        return created


def show(name: str, version: str | None = None, label: str | None = None) -> Json:
    """Show one version of a model; the latest unless told otherwise."""
    with open_session() as session:
        found: Json = session.client.get("models", name, "versions", version or label or "latest")
        return found


def list_(name: str | None = None, include_archived: bool = False) -> list[Json]:
    """List models, or the versions of one."""
    path = ("models", name, "versions") if name else ("models",)
    with open_session() as session:
        return session.client.list_all(*path, include_archived=include_archived)


def archive(name: str, version: str | None = None) -> None:
    """Hide a model, or one version of it, from lists and from @latest."""
    _mark(name, version, "archive")


def restore(name: str, version: str | None = None) -> None:
    """Bring an archived model, or one version of it, back."""
    _mark(name, version, "restore")


def _mark(name: str, version: str | None, verb: str) -> None:
    with open_session() as session:
        path = ("models", name, "versions", version, verb) if version else ("models", name, verb)
        session.client.post(*path)


def download(name: str, version: str | None = None, label: str | None = None, download_path: str = ".") -> Json:
    """Download the files of a model into a folder that has the model's name."""
    target = Path(download_path) / name
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is there already and not empty; name another folder with --download-path.")
    with open_session() as session:
        wanted = version or label or "latest"
        with tempfile.NamedTemporaryFile(suffix=".zip") as archive_file:
            received = _receive(session, name, wanted, Path(archive_file.name))
            file_count = _unpack(Path(archive_file.name), target)
        session.terminal.mark("ok", f"Downloaded {name}  {size(received)}")
        return {"name": name, "path": str(target.resolve()), "file_count": file_count}


def _receive(session: Session, name: str, version: str, target: Path) -> int:
    received = 0
    with session.terminal, target.open("wb") as stream:
        for count in session.client.download("models", name, "versions", version, "download", into=stream):
            received += count
            session.terminal.show(f"{name}: {size(received)}")
    return received


def _unpack(archive_path: Path, target: Path) -> int:
    """The archive comes from the studio, yet a name in it must not lead out of `target` either."""
    from endpoints.assets import UnpackLimits, unpack_archive
    from endpoints.spec.errors import SlipwayError

    try:
        unpack_archive(archive_path, target, UnpackLimits(max_bytes=1 << 50, max_files=1_000_000))
    except SlipwayError as error:
        raise CommandFailed(f"The download cannot be unpacked: {error.message}") from error
    return sum(1 for path in target.rglob("*") if path.is_file())
