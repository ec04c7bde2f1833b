"""`slipway online-deployment … --local`"""

from __future__ import annotations

import sys
from pathlib import Path

from endpoints.backends.base import DeploymentRef
from endpoints.cli.client import Json
from endpoints.cli.commands.deployments import of_today, read_checked, warn
from endpoints.cli.documents import Changes, Draft, Words
from endpoints.cli.failures import CommandFailed, StudioError, UsageError
from endpoints.cli.operations import explained
from endpoints.cli.terminal import Terminal
from endpoints.local.records import LocalDeployment, LocalEndpoint, Records, local_home
from endpoints.local.running import Failed, Runner, choose_backend
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.loglines import render
from endpoints.spec.yaml_reader import SourceDocument


def create(
    file: str,
    name: str | None = None,
    endpoint_name: str | None = None,
    all_traffic: bool = False,
    set_values: Words = None,
    skip_script_validation: bool = False,
) -> Json:
    """Run a deployment on this machine: in a container where an engine answers, else in a process.

    Its endpoint is noted where it is not there yet; --all-traffic means nothing, for there is no split.
    """
    draft = Draft.from_file(file).changed(Changes(set=set_values))
    draft, notes = of_today(draft.with_values(name=name, endpoint_name=endpoint_name))
    document = read_checked(draft, skip_script_validation)
    home, terminal = local_home(), Terminal()
    warn(terminal, document, notes)
    records = Records(home)
    with records.changing(), draft.lines_told():
        endpoint = records.find(document.endpoint_name) or LocalEndpoint(name=document.endpoint_name)
        if document.name in endpoint.deployments:
            message = (
                f"The local deployment '{document.name}' exists already; change it with: slipway online-deployment "
            )
            raise StudioError(f"{message}update --local", status=409, code="Conflict")
        deployment = LocalDeployment(name=document.name, document={}, backend=choose_backend(document))
        endpoint.deployments[document.name] = deployment
        _run(Runner(home, terminal), records, endpoint, deployment, draft, document)
    return shown(endpoint, deployment)


def _run(
    runner: Runner,
    records: Records,
    endpoint: LocalEndpoint,
    deployment: LocalDeployment,
    draft: Draft,
    document: OnlineDeploymentDocument,
) -> None:
    """Bring it up and note how that went; a failure is explained and ends the command."""
    if document.instance_count > 1:
        runner.terminal.say(f"Warning: one instance runs locally, not {document.instance_count}.")
    deployment.document, deployment.failure = _kept(draft, document), None
    try:
        runner.bring_up(DeploymentRef(endpoint.name, deployment.name), deployment, draft, document)
    except Failed as failed:
        deployment.failure = failed.failure
        records.save(endpoint)
        code, message = failed.failure.code, failed.failure.message
        raise CommandFailed(f"{code}: {message}", hints=explained(failed.failure)) from failed
    records.save(endpoint)


def _kept(draft: Draft, document: OnlineDeploymentDocument) -> dict[str, object]:
    """The document, its paths made whole so that it can be read again from anywhere."""
    kept = document.to_json()
    for steps in (("model", "path"), ("code_configuration", "code"), ("environment", "conda_file"),
                  ("environment", "requirements_file"), ("environment", "build", "path")):  # fmt: skip
        block = kept
        for step in steps[:-1]:
            block = block.get(step) if isinstance(block, dict) else None  # type: ignore[assignment]
        if isinstance(block, dict) and isinstance(path := block.get(steps[-1]), str) and "\n" not in path:
            block[steps[-1]] = str((draft.folder / path).resolve())
    return kept


def shown(endpoint: LocalEndpoint, deployment: LocalDeployment) -> Json:
    """The deployment's document, with what only this machine can know."""
    return {
        **deployment.document,
        "name": deployment.name,
        "endpoint_name": endpoint.name,
        "backend": deployment.backend,
        "location": "local",
        "provisioning_state": str(deployment.state),
        "scoring_uri": deployment.scoring_uri,
        "failure": f"{deployment.failure.code}: {deployment.failure.message}" if deployment.failure else None,
    }


def show(name: str, endpoint_name: str) -> Json:
    """Show a local deployment: its state and settings."""
    home = local_home()
    endpoint, deployment = Records(home).get_deployment(endpoint_name, name)
    found = shown(endpoint, deployment)
    if deployment.instance_id and not Runner(home, Terminal()).is_alive(
        DeploymentRef(endpoint.name, deployment.name), deployment
    ):
        ended = "Its instance has ended; its log says more. Update the deployment to start it again."
        return {**found, "provisioning_state": "Failed", "failure": found["failure"] or ended}
    return found


def list_(endpoint_name: str) -> list[Json]:
    """List the deployments of a local endpoint."""
    endpoint = Records(local_home()).get(endpoint_name)
    return [shown(endpoint, deployment) for deployment in endpoint.deployments.values()]


def update(
    name: str | None = None,
    endpoint_name: str | None = None,
    file: str | None = None,
    set_values: Words = None,
    add_values: Words = None,
    remove_values: Words = None,
    force_string: bool = False,
    skip_script_validation: bool = False,
) -> Json:
    """Replace what runs by what the file says, or by the same with changes; without either it is started again."""
    changes = Changes(set_values, add_values, remove_values, is_text=force_string)
    if not file and not (name and endpoint_name):
        raise UsageError("Without --file, --name and --endpoint-name are needed.")
    home, terminal = local_home(), Terminal()
    records = Records(home)
    with records.changing():
        if file:
            draft = Draft.from_file(file).changed(changes).with_values(name=name, endpoint_name=endpoint_name)
        else:
            _, present = records.get_deployment(str(endpoint_name), str(name))
            draft = Draft(SourceDocument(present.document), Path("/")).changed(changes)
        draft, notes = of_today(draft)
        document = read_checked(draft, skip_script_validation)
        endpoint, deployment = records.get_deployment(document.endpoint_name, document.name)
        if document.backend and document.backend != deployment.backend:
            raise UsageError(f"A deployment keeps its backend ({deployment.backend}); delete it and create it anew.")
        warn(terminal, document, notes)
        with draft.lines_told():
            _run(Runner(home, terminal), records, endpoint, deployment, draft, document)
    return shown(endpoint, deployment)


def delete(name: str, endpoint_name: str, no_wait: bool = False) -> None:
    """Delete a local deployment; its endpoint stays."""
    home = local_home()
    records = Records(home)
    with records.changing():
        endpoint, deployment = records.get_deployment(endpoint_name, name)
        try:
            Runner(home, Terminal()).remove(DeploymentRef(endpoint.name, deployment.name), deployment)
        except Failed as failed:
            raise CommandFailed(f"{failed.failure.code}: {failed}", hints=explained(failed.failure)) from failed
        del endpoint.deployments[deployment.name]
        records.save(endpoint)


def get_logs(
    name: str,
    endpoint_name: str,
    container: str = "inference-server",
    lines: int = 5000,
    instance: str | None = None,
    follow: bool = False,
) -> None:
    """Print the log of a local deployment."""
    home = local_home()
    endpoint, deployment = Records(home).get_deployment(endpoint_name, name)
    backend, ref = Runner(home, Terminal()).backend(deployment), DeploymentRef(endpoint.name, deployment.name)
    for line in backend.logs(ref, instance_id=instance, container=container, lines=lines, follow=follow):
        sys.stdout.write(f"{render(line)}\n")
        if follow:
            sys.stdout.flush()
