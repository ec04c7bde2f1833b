"""`slipway online-endpoint …`"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from endpoints.cli.applying import apply_drafts
from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, Words, known_values
from endpoints.cli.failures import CommandFailed, ExitCode, UsageError
from endpoints.cli.session import Session, open_session
from endpoints.spec.documents import OnlineEndpointDocument
from endpoints.spec.format_2021 import holds_deployments
from endpoints.spec.traffic import parse_split


def create(
    name: str | None = None,
    file: str | None = None,
    auth_mode: str | None = None,
    description: str | None = None,
    set_values: Words = None,
    no_wait: bool = False,
) -> Json:
    """Create an endpoint. One that exists is overwritten; its deployments stay."""
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    draft = draft.with_values(name=name, auth_mode=auth_mode, description=description)
    if holds_deployments(draft.source):
        return _applied_whole(draft, prune=False, is_confirmed=False, is_waited_for=not no_wait)
    document = draft.read(OnlineEndpointDocument)
    with open_session() as session, draft.lines_told():
        answer = session.client.put("online-endpoints", document.name, json=document.to_json())
        session.finish(answer, is_waited_for=not no_wait)
        return _shown(session, document.name)


def _applied_whole(draft: Draft, *, prune: bool, is_confirmed: bool, is_waited_for: bool) -> Json:
    """A document of 2021: the endpoint with all its deployments."""
    with open_session() as session:
        apply_drafts(session, [draft], prune=prune, is_confirmed=is_confirmed, is_waited_for=is_waited_for)
        return _shown(session, str(draft.source.values.get("name")).lower())


def show(name: str) -> Json:
    """Show an endpoint: its state, scoring URI and traffic."""
    with open_session() as session:
        return _shown(session, name.lower())


def list_() -> list[Json]:
    """List the endpoints."""
    with open_session() as session:
        return session.client.list_all("online-endpoints")


def update(
    name: str | None = None,
    file: str | None = None,
    traffic: str | None = None,
    mirror_traffic: str | None = None,
    set_values: Words = None,
    add_values: Words = None,
    remove_values: Words = None,
    force_string: bool = False,
    prune: bool = False,
    yes: bool = False,
    no_wait: bool = False,
) -> Json:
    """Change an endpoint: its traffic, description, tags. Only what is given changes."""
    changes = Changes(set_values, add_values, remove_values, is_text=force_string)
    if not (file or traffic is not None or mirror_traffic is not None or changes):
        raise UsageError("Say what to change: --file, --traffic, --mirror-traffic, --set, --add or --remove.")
    draft = Draft.from_file(file)
    if holds_deployments(draft.source):
        draft = draft.with_values(name=name, traffic=_split(traffic, "traffic")).changed(changes)
        return _applied_whole(draft, prune=prune, is_confirmed=yes, is_waited_for=not no_wait)
    if prune:
        raise UsageError("--prune needs the deployments' documents too: slipway apply -f endpoint.yml blue.yml --prune")
    wanted = str(name or draft.source.values.get("name") or "").lower()
    if not wanted:
        raise UsageError("--name is missing: which endpoint?")
    with open_session() as session:
        current = known_values(OnlineEndpointDocument, session.client.get("online-endpoints", wanted))
        draft = draft.with_values(name=wanted).over(current).changed(changes)
        draft = draft.with_values(
            traffic=_split(traffic, "traffic"), mirror_traffic=_split(mirror_traffic, "mirror_traffic")
        )
        if difference := _difference(current, draft.read(OnlineEndpointDocument)):
            with draft.lines_told():
                answer = session.client.patch("online-endpoints", wanted, json=difference)
                session.finish(answer, is_waited_for=not no_wait)
        else:
            session.terminal.say("Nothing to change.")
        return _shown(session, wanted)


def _difference(current: Mapping[str, object], wanted: OnlineEndpointDocument) -> Json:
    """The fields to send: changed ones, and None for those that are to go."""
    before, after = OnlineEndpointDocument.read(current).to_json(), wanted.to_json()
    return {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}


def _shown(session: Session, name: str) -> Json:
    found: Json = session.client.get("online-endpoints", name)
    return found


def _split(text: str | None, field: str) -> dict[str, int] | None:
    return None if text is None else parse_split(text, field=field)


def delete(name: str, no_wait: bool = False) -> None:
    """Delete an endpoint and all its deployments."""
    with open_session() as session:
        answer = session.client.delete("online-endpoints", name.lower())
        session.finish(answer, is_waited_for=not no_wait)


def get_credentials(name: str) -> Json:
    """Show the keys of an endpoint, or a token for it."""
    with open_session() as session:
        found: Json = session.client.get("online-endpoints", name.lower(), "keys")
        return found


def regenerate_keys(name: str, key_type: str = "primary", no_wait: bool = False) -> Json:
    """Replace one of the two keys; the other goes on working. It is done at once, so there is nothing to wait for."""
    with open_session() as session:
        path = ("online-endpoints", name.lower(), "regenerate-keys")
        keys: Json = session.client.post(*path, json={"key_type": key_type})
        return keys


def invoke(name: str, request_file: str, deployment_name: str | None = None) -> Any:
    """Send a request to an endpoint and print the answer."""
    body = body_of(request_file)
    with open_session() as session:
        result = session.client.invoke(
            name.lower(),
            body=body,
            content_type="application/json",
            deployment=deployment_name.lower() if deployment_name else None,
        )
    return told_answer(result)


def told_answer(result: Json) -> Any:
    """An endpoint's answer as the command's; bytes that are no text go out as they came. Raises for a refusal."""
    if not 200 <= int(result["status"]) < 300:
        raise _refused(result)
    if result.get("body_encoding") == "base64":
        sys.stdout.buffer.write(base64.b64decode(result["body"]))
        return None
    return _parsed(result["body"])


def body_of(request_file: str) -> bytes:
    """What is to be sent; `-` is standard input."""
    if request_file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(request_file).read_bytes()
    except OSError as error:
        raise UsageError(f"--request-file {request_file} cannot be read: {error.strerror}.") from error


def _refused(result: Json) -> CommandFailed:
    headers = {str(key).lower(): value for key, value in result.get("headers", {}).items()}
    message = f"The endpoint answered {result['status']}"
    if reason := headers.get("ms-azureml-model-error-reason"):
        message += f" ({headers.get('ms-azureml-model-error-statuscode', '')} {reason})"
    failed = CommandFailed(f"{message}: {result['body']}", hints=[f"Request id: {result.get('request_id')}"])
    failed.exit_code = ExitCode.NOT_FOUND if result["status"] == 404 else ExitCode.FAILURE
    return failed


def _parsed(body: str) -> Any:
    """JSON as values, so that --query works on it; anything else as text."""
    try:
        return json.loads(body)
    except ValueError:
        return body
