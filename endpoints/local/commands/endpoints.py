"""`slipway online-endpoint … --local`"""

from __future__ import annotations

from typing import Any

from endpoints.backends.base import DeploymentRef
from endpoints.cli.client import Json
from endpoints.cli.commands.endpoints import body_of, told_answer
from endpoints.cli.documents import Changes, Draft, Words
from endpoints.cli.failures import CommandFailed, UsageError
from endpoints.cli.terminal import Terminal
from endpoints.local.calling import call
from endpoints.local.records import LocalEndpoint, Records, local_home, missing
from endpoints.local.running import Failed, Runner
from endpoints.spec.documents import OnlineEndpointDocument

_NO_SPLIT = (
    "A local endpoint has no split: its URI leads to the deployment made last; call others with --deployment-name."
)


def create(
    name: str | None = None,
    file: str | None = None,
    auth_mode: str | None = None,
    description: str | None = None,
    set_values: Words = None,
) -> Json:
    """Note a local endpoint. One that exists is overwritten; its deployments stay."""
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    document = draft.with_values(name=name, auth_mode=auth_mode, description=description).read(OnlineEndpointDocument)
    _refuse_split(document)
    records = Records(local_home())
    with records.changing():
        endpoint = records.find(document.name) or LocalEndpoint(name=document.name)
        _fill(endpoint, document)
        records.save(endpoint)
    return shown(endpoint)


def _fill(endpoint: LocalEndpoint, document: OnlineEndpointDocument) -> None:
    endpoint.auth_mode, endpoint.description = document.auth_mode, document.description
    endpoint.tags, endpoint.properties = dict(document.tags), dict(document.properties)


def _refuse_split(document: OnlineEndpointDocument) -> None:
    if document.traffic or document.mirror_traffic:
        raise UsageError(_NO_SPLIT)


def shown(endpoint: LocalEndpoint) -> Json:
    """As `az ml online-endpoint show --local` prints it (contract A-54)."""
    answering = endpoint.answering
    newest = next(reversed(endpoint.deployments.values()), None)
    return {
        "auth_mode": endpoint.auth_mode,
        "location": "local",
        "name": endpoint.name,
        "properties": endpoint.properties,
        "provisioning_state": str(newest.state) if newest else "Succeeded",
        "scoring_uri": answering.scoring_uri if answering else "",
        "tags": endpoint.tags,
        "traffic": {},
    }


def show(name: str) -> Json:
    """Show a local endpoint: its state and scoring URI."""
    return shown(Records(local_home()).get(name))


def list_() -> list[Json]:
    """List the local endpoints."""
    return [shown(endpoint) for endpoint in Records(local_home()).all()]


def update(
    name: str | None = None,
    file: str | None = None,
    traffic: str | None = None,
    mirror_traffic: str | None = None,
    set_values: Words = None,
) -> Json:
    """Change a local endpoint's description and tags."""
    if traffic is not None or mirror_traffic is not None:
        raise UsageError(_NO_SPLIT)
    draft = Draft.from_file(file).with_values(name=name)
    records = Records(local_home())
    with records.changing():
        endpoint = records.get(str(draft.source.values.get("name") or ""))
        present = {key: getattr(endpoint, key) for key in ("auth_mode", "description", "tags", "properties")}
        document = draft.over(present).changed(Changes(set=set_values)).read(OnlineEndpointDocument)
        _refuse_split(document)
        _fill(endpoint, document)
        records.save(endpoint)
    return shown(endpoint)


def delete(name: str, no_wait: bool = False) -> None:
    """Delete a local endpoint and everything behind it."""
    home = local_home()
    records, runner = Records(home), Runner(home, Terminal())
    with records.changing():
        endpoint = records.get(name)
        for deployment in endpoint.deployments.values():
            try:
                runner.remove(DeploymentRef(endpoint.name, deployment.name), deployment)
            except Failed as failed:
                raise CommandFailed(f"{deployment.name} could not be ended: {failed}") from failed
        records.remove(name)


def invoke(name: str, request_file: str, deployment_name: str | None = None) -> Any:
    """Send a request to a local endpoint and print the answer."""
    body = body_of(request_file)
    records = Records(local_home())
    endpoint = records.get(name)
    if deployment_name:
        _, deployment = records.get_deployment(name, deployment_name)
    elif (found := endpoint.answering) is None:
        raise missing(f"The local endpoint '{name}' has no deployment that answers.")
    else:
        deployment = found
    return told_answer(call(deployment, body, content_type="application/json"))
