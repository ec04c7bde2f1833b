"""`slipway endpoint …`: the verbs of 2021, when an endpoint's document held its deployments."""

from __future__ import annotations

import dataclasses
from typing import Any

from endpoints.cli.applying import apply_drafts
from endpoints.cli.client import Json
from endpoints.cli.commands import deployments, endpoints
from endpoints.cli.documents import Changes, Draft, Words, known_values
from endpoints.cli.failures import UsageError
from endpoints.cli.session import Session, open_session
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.format_2021 import convert_endpoint
from endpoints.spec.traffic import parse_split
from endpoints.spec.yaml_reader import SourceDocument


def create(
    file: str, name: str | None = None, set_values: Words = None, endpoint_type: str = "online", no_wait: bool = False
) -> Json:
    """Create an endpoint with the deployments its document holds, and then set its traffic."""
    _require_online(endpoint_type)
    draft = Draft.from_file(file).changed(Changes(set=set_values)).with_values(name=name)
    with open_session() as session:
        return _applied(session, [draft], is_waited_for=not no_wait)


def update(
    name: str | None = None,
    file: str | None = None,
    deployment: str | None = None,
    deployment_file: str | None = None,
    traffic: str | None = None,
    set_values: Words = None,
    endpoint_type: str = "online",
    prune: bool = False,
    yes: bool = False,
    no_wait: bool = False,
) -> Json:
    """Change an endpoint and its deployments: to what a document says, or only what is given.

    A deployment that left the document is kept, unlike in 2021; --prune deletes it.
    """
    _require_online(endpoint_type)
    if not (file or deployment_file or traffic or set_values):
        raise UsageError("Say what to change: --file, --deployment-file, --traffic or --set.")
    changes, split = Changes(set=set_values), parse_split(traffic) if traffic else None
    with open_session() as session:
        if file:
            drafts = [Draft.from_file(file).with_values(name=name).changed(changes)]
        elif set_values:
            drafts = _present(session, _required(name), changes)
        else:
            drafts = [Draft.from_file(None).with_values(name=_required(name))]
        drafts[0] = drafts[0].with_values(traffic=split)
        if deployment_file:
            draft = Draft.from_file(deployment_file)
            drafts.append(draft.with_values(name=deployment, endpoint_name=_required(name)))
        return _applied(session, drafts, prune=prune, is_confirmed=yes, is_waited_for=not no_wait)


def _required(name: str | None) -> str:
    if not name:
        raise UsageError("--name is missing: which endpoint?")
    return name.lower()


def _require_online(endpoint_type: str) -> None:
    if endpoint_type.lower() != "online":
        raise UsageError(f"--type {endpoint_type} is not available here; only online endpoints are.")


def _applied(
    session: Session, drafts: list[Draft], *, prune: bool = False, is_confirmed: bool = False, is_waited_for: bool
) -> Json:
    planned = apply_drafts(session, drafts, prune=prune, is_confirmed=is_confirmed, is_waited_for=is_waited_for)
    return _with_deployments(session, planned[0]["endpoint"])


def _present(session: Session, name: str, changes: Changes) -> list[Draft]:
    """What there is, changed as if it were written as in 2021: deployments[0].instance_count leads to the first one."""
    endpoint = known_values(OnlineEndpointDocument, session.client.get("online-endpoints", name))
    found = session.client.list_all("online-endpoints", name, "deployments")
    values = {**endpoint, "deployments": [known_values(OnlineDeploymentDocument, each) for each in found]}
    converted = convert_endpoint(changes.applied_to(SourceDocument(values)))
    empty = Draft.from_file(None)
    return [dataclasses.replace(empty, source=one) for one in (converted.endpoint, *converted.deployments)]


def _with_deployments(session: Session, name: str) -> Json:
    endpoint: Json = session.client.get("online-endpoints", name)
    return {**endpoint, "deployments": session.client.list_all("online-endpoints", name, "deployments")}


def show(name: str, deployment: str | None = None) -> Json:
    """Show an endpoint with its deployments, or one of these."""
    if deployment:
        return deployments.show(deployment, name)
    with open_session() as session:
        return _with_deployments(session, name.lower())


def delete(name: str, deployment: str | None = None, no_wait: bool = False) -> None:
    """Delete an endpoint and all its deployments, or one of these."""
    if deployment:
        deployments.delete(deployment, name, no_wait)
    else:
        endpoints.delete(name, no_wait)


def invoke(name: str, request_file: str, deployment: str | None = None) -> Any:
    """Send a request to an endpoint and print the answer."""
    return endpoints.invoke(name, request_file, deployment)


def get_logs(name: str, deployment: str, container: str = "inference-server", lines: int = 5000) -> None:
    """Print the log of a deployment's instances."""
    deployments.get_logs(deployment, name, container, lines)


list_ = endpoints.list_
get_credentials = list_keys = endpoints.get_credentials
regenerate_keys = endpoints.regenerate_keys
