"""`slipway online-deployment …`"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, FileSender, Words, check_script, known_values
from endpoints.cli.failures import CommandFailed, StudioError, UsageError
from endpoints.cli.session import Session, open_session
from endpoints.cli.terminal import Terminal
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.format_2021 import convert_deployment
from endpoints.spec.yaml_reader import SourceDocument


def create(
    file: str,
    name: str | None = None,
    endpoint_name: str | None = None,
    all_traffic: bool = False,
    set_values: Words = None,
    skip_script_validation: bool = False,
    no_wait: bool = False,
) -> Json:
    """Create a deployment. One that exists is not touched; use update to change it."""
    if all_traffic and no_wait:
        raise UsageError("--all-traffic cannot be used with --no-wait: traffic is set when the deployment is ready.")
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    draft = draft.with_values(name=name, endpoint_name=endpoint_name)
    draft, notes = of_today(draft)
    document = read_checked(draft, skip_script_validation)
    with open_session() as session, draft.lines_told():
        _refuse_existing(session, document)
        warn(session.terminal, document, notes)
        sent = FileSender(session.uploader, draft.folder).deployment(document)
        answer = session.client.post(
            *_deployments(document.endpoint_name),
            json=sent.to_json(),
            all_traffic=all_traffic,
            skip_script_validation=skip_script_validation,
        )
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, document.endpoint_name, document.name)


def of_today(draft: Draft) -> tuple[Draft, tuple[str, ...]]:
    """The draft with today's keys, and what there is to say about that."""
    source, notes = convert_deployment(draft.source)
    return dataclasses.replace(draft, source=source), notes


def read_checked(draft: Draft, skip_script_validation: bool) -> OnlineDeploymentDocument:
    """The document, its scoring script compiled unless that is to be skipped."""
    document = draft.read(OnlineDeploymentDocument)
    if not skip_script_validation:
        with draft.lines_told():
            check_script(document, draft.folder)
    return document


def _refuse_existing(session: Session, document: OnlineDeploymentDocument) -> None:
    """Before anything is sent; the studio checks again."""
    try:
        session.client.get(*_deployments(document.endpoint_name), document.name)
    except StudioError as error:
        if error.status != 404:
            raise
        session.client.get("online-endpoints", document.endpoint_name)  # its absence is told before files are sent
        return
    raise StudioError(
        f"The deployment '{document.name}' exists already; change it with: slipway online-deployment update",
        status=409,
        code="Conflict",
    )


def warn(terminal: Terminal, document: OnlineDeploymentDocument, notes: tuple[str, ...]) -> None:
    """Tell what was converted, and what is allowed but unlikely to be meant."""
    for note in notes:
        terminal.say(f"Note: {note}")
    for warning in document.warnings():
        terminal.say(f"Warning: {warning}")


def show(name: str, endpoint_name: str) -> Json:
    """Show a deployment: its state, settings and instances."""
    with open_session() as session:
        return _shown(session, endpoint_name, name)


def list_(endpoint_name: str) -> list[Json]:
    """List the deployments of an endpoint."""
    with open_session() as session:
        return session.client.list_all(*_deployments(endpoint_name))


def update(
    name: str | None = None,
    endpoint_name: str | None = None,
    file: str | None = None,
    set_values: Words = None,
    add_values: Words = None,
    remove_values: Words = None,
    force_string: bool = False,
    skip_script_validation: bool = False,
    no_wait: bool = False,
) -> Json:
    """Change a deployment in place: to what the file says, or only the fields given by --set, --add and --remove."""
    changes = Changes(set_values, add_values, remove_values, is_text=force_string)
    if not file and not changes:
        raise UsageError("Say what to change: --file, --set, --add or --remove.")
    if not file and not (name and endpoint_name):
        raise UsageError("Without --file, --name and --endpoint-name are needed.")
    with open_session() as session:
        if file:
            draft = Draft.from_file(file).changed(changes).with_values(name=name, endpoint_name=endpoint_name)
            before: Mapping[str, object] = {}
        else:
            before = _current(session, str(endpoint_name), str(name))
            draft = Draft(SourceDocument(before), Path.cwd()).changed(changes)
        draft, notes = of_today(draft)
        document = read_checked(draft, skip_script_validation)
        warn(session.terminal, document, notes)
        with draft.lines_told():
            answer = _send_update(session, draft, document, before, skip_script_validation)
            session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, document.endpoint_name, document.name)


def _send_update(
    session: Session,
    draft: Draft,
    document: OnlineDeploymentDocument,
    before: Mapping[str, object],
    skip_script_validation: bool,
) -> Any:
    """A file says everything; without one only what differs from `before` is sent."""
    address = (*_deployments(document.endpoint_name), document.name)
    if not before:
        session.client.get(*address)  # its absence is told before files are sent
    sent = FileSender(session.uploader, draft.folder).deployment(document).to_json()
    if not before:
        return session.client.put(*address, json=sent, skip_script_validation=skip_script_validation)
    known = OnlineDeploymentDocument.read(before).to_json()
    difference = {key: sent.get(key) for key in {**known, **sent} if known.get(key) != sent.get(key)}
    if not difference:
        return {"operation": None}
    return session.client.patch(*address, json=difference, skip_script_validation=skip_script_validation)


def _current(session: Session, endpoint_name: str, name: str) -> Mapping[str, object]:
    return known_values(OnlineDeploymentDocument, session.client.get(*_deployments(endpoint_name), name.lower()))


def revisions(name: str, endpoint_name: str, revision: int | None = None, against: int | None = None) -> Any:
    """List what a deployment was made of, newest first; with --revision, show one and what sets it apart."""
    if against is not None and revision is None:
        raise UsageError("--against needs --revision: which one should be compared with it?")
    with open_session() as session:
        path = (*_deployments(endpoint_name), name.lower(), "revisions")
        if revision is None:
            return session.client.get(*path)
        return session.client.get(*path, str(revision), against=against)


def rollback(name: str, endpoint_name: str, revision: int, no_wait: bool = False) -> Json:
    """Return a deployment to an earlier revision, instance by instance."""
    with open_session() as session:
        answer = session.client.post(
            *_deployments(endpoint_name), name.lower(), "rollback", json={"revision": revision}
        )
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, endpoint_name, name)


def cancel(name: str, endpoint_name: str) -> Json:
    """Give up the change of a deployment that is under way; what ran before goes on serving."""
    with open_session() as session:
        wanted = {"endpoint": endpoint_name.lower(), "deployment": name.lower()}
        running = [each for each in session.client.get("operations", **wanted) if each["state"] == "Running"]
        if not running:
            raise CommandFailed(f"No operation runs on the deployment '{name}'; there is nothing to cancel.")
        session.client.post("operations", str(running[0]["id"]), "cancel")
        return _shown(session, endpoint_name, name)


def retry(name: str, endpoint_name: str, no_wait: bool = False) -> Json:
    """Try again what failed or was canceled, with nothing changed."""
    with open_session() as session:
        answer = session.client.post(*_deployments(endpoint_name), name.lower(), "retry")
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, endpoint_name, name)


def start(name: str, endpoint_name: str, shared_pool_hours: int = 0, no_wait: bool = False) -> Json:
    """Run a deployment again that was stopped when its loan from the shared pool ended."""
    with open_session() as session:
        answer = session.client.post(
            *_deployments(endpoint_name), name.lower(), "start", json={"shared_pool_hours": shared_pool_hours}
        )
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, endpoint_name, name)


def wake(name: str, endpoint_name: str, no_wait: bool = False) -> Json:
    """Start a sleeping deployment now rather than with the first request."""
    return _ordered("wake", name, endpoint_name, no_wait)


def sleep(name: str, endpoint_name: str, no_wait: bool = False) -> Json:
    """Let all instances of a deployment go until the next request; its scaling policy must allow a minimum of 0."""
    return _ordered("sleep", name, endpoint_name, no_wait)


def _ordered(verb: str, name: str, endpoint_name: str, no_wait: bool) -> Json:
    with open_session() as session:
        answer = session.client.post(*_deployments(endpoint_name), name.lower(), verb)
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, endpoint_name, name)


def delete(name: str, endpoint_name: str, no_wait: bool = False) -> None:
    """Delete a deployment. One that has traffic is kept; shift its traffic first."""
    with open_session() as session:
        answer = session.client.delete(*_deployments(endpoint_name), name.lower())
        session.finish(answer, is_waited_for=not no_wait)


def get_logs(
    name: str,
    endpoint_name: str,
    container: str = "inference-server",
    lines: int = 5000,
    instance: str | None = None,
    follow: bool = False,
) -> None:
    """Print the log of a deployment's instances."""
    with open_session() as session:
        found = session.client.lines(
            *_deployments(endpoint_name),
            name.lower(),
            "logs",
            told=lambda missing: sys.stderr.write(f"{missing}\n"),
            container=container,
            lines=lines,
            instance=instance,
            follow=follow,
        )
        for line in found:
            sys.stdout.write(f"{line}\n")
            if follow:
                sys.stdout.flush()


def _deployments(endpoint_name: str) -> tuple[str, str, str]:
    return ("online-endpoints", endpoint_name.lower(), "deployments")


def _shown(session: Session, endpoint_name: str, name: str) -> Json:
    found: Json = session.client.get(*_deployments(endpoint_name), name.lower())
    return found
