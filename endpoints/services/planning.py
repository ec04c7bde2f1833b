"""What documents would change, told without changing it: the verbs themselves are run, looked at, and taken back.

So a plan and its application cannot disagree: what would be refused is refused here, in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import transaction

from endpoints.control.surge import surge_of
from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation
from endpoints.selectors import revision_now
from endpoints.services.deployments import create_deployment, update_deployment
from endpoints.services.endpoints import create_endpoint, update_endpoint
from endpoints.services.templates import document_of
from endpoints.spec.differences import Difference, differences
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.schema import to_json
from endpoints.spec.yaml_reader import SourceDocument
from studio.access.models import User

Action = Literal["create", "update", "nothing"]
Source = Mapping[str, object] | SourceDocument


@dataclass(frozen=True, slots=True)
class Planned:
    """What one document comes to.

    deployment: "" for an endpoint's document. replaced: ids of the instances a roll replaces; started, stopped: how
    many come and go beside that. quota: what the check found, "" where none is asked. effects: on live traffic.
    """

    endpoint: str
    deployment: str
    action: Action
    changes: tuple[Difference, ...] = ()
    replaced: tuple[str, ...] = ()
    started: int = 0
    stopped: int = 0
    quota: str = ""
    effects: tuple[str, ...] = ()


def plan_changes(actor: User, *, documents: Sequence[Source]) -> list[Planned]:
    """What applying the documents, in this order, would do. Raises what the first refusal would raise.

    A document that names an endpoint_name is a deployment's, any other an endpoint's.
    """
    with transaction.atomic():
        planned = [_plan(actor, document) for document in documents]
        transaction.set_rollback(True)
    return planned


def _plan(actor: User, document: Source) -> Planned:
    values = document.values if isinstance(document, SourceDocument) else document
    if "endpoint_name" in values:
        return _plan_deployment(actor, OnlineDeploymentDocument.read(document))
    return _plan_endpoint(actor, OnlineEndpointDocument.read(document), given=values)


# Deployments -----------------------------------------------------------------------------------------------


def _plan_deployment(actor: User, wanted: OnlineDeploymentDocument) -> Planned:
    endpoint, name = wanted.endpoint_name.lower(), wanted.name.lower()
    row = _deployment(endpoint, name)
    if row is None:
        operation = create_deployment(actor, document=wanted)
        return Planned(
            endpoint=endpoint,
            deployment=name,
            action="create",
            started=wanted.instance_count,
            quota=_quota_of(operation),
            effects=("It gets no live traffic until the endpoint's split names it.",),
        )
    before, count, number = document_of(revision_now(row)), row.instance_count, row.revision
    changed = update_deployment(actor, endpoint=endpoint, name=name, document=wanted)
    if changed is None:
        return Planned(endpoint=endpoint, deployment=name, action="nothing")
    now = _deployment(endpoint, name) or row
    replaced = _outdated(now) if now.revision != number else ()
    return Planned(
        endpoint=endpoint,
        deployment=name,
        action="update",
        changes=tuple(differences(before, document_of(revision_now(now)))),
        replaced=replaced,
        started=max(0, now.instance_count - count),
        stopped=max(0, count - now.instance_count),
        quota=_quota_of(changed),
        effects=_effects(now, count, is_rolled=now.revision != number),
    )


def _deployment(endpoint: str, name: str) -> OnlineDeployment | None:
    return OnlineDeployment.objects.select_related("endpoint").filter(endpoint__name=endpoint, name=name).first()


def _outdated(row: OnlineDeployment) -> tuple[str, ...]:
    instances = row.instances.filter(ended_at=None).exclude(revision=row.revision)
    return tuple(instances.order_by("created_at", "pk").values_list("pk", flat=True))


def _quota_of(operation: Operation) -> str:
    step = operation.steps.filter(key="quota").first()
    return step.detail if step else ""


def _effects(row: OnlineDeployment, count_before: int, *, is_rolled: bool) -> tuple[str, ...]:
    """In the order in which they happen: the count changes first, then instances are replaced."""
    share = row.endpoint.traffic.get(row.name, 0)
    whom = f"{share} % of live requests come here" if share else "No live requests come here"
    effects = []
    if row.instance_count > count_before:
        effects.append("New instances take their share once they are ready.")
    elif row.instance_count < count_before:
        effects.append("Those that go leave the routes first and answer what they have.")
    if is_rolled:
        batch = -(-row.instance_count // 5)
        floor = row.instance_count if surge_of(row) else row.instance_count - batch
        effects.append(f"{batch} at a time; never fewer than {floor} of {row.instance_count} answer.")
    return (f"{whom}; {'none of them is lost' if effects else 'no instance restarts'}.", *effects)


# Endpoints -------------------------------------------------------------------------------------------------


def _plan_endpoint(actor: User, wanted: OnlineEndpointDocument, *, given: Mapping[str, object]) -> Planned:
    row = OnlineEndpoint.objects.filter(name=wanted.name).first()
    if row is None:
        create_endpoint(actor, document=wanted)
        return Planned(endpoint=wanted.name, deployment="", action="create")
    values = {key: to_json(getattr(wanted, key)) for key in given if not key.startswith("$")}
    before = {key: getattr(row, key) for key in values}
    if update_endpoint(actor, name=row.name, changes=values) is None:
        return Planned(endpoint=row.name, deployment="", action="nothing")
    row.refresh_from_db()
    after = {key: getattr(row, key) for key in values}
    return Planned(
        endpoint=row.name,
        deployment="",
        action="update",
        changes=tuple(differences(before, after)),
        effects=_shifts(row, before.get("traffic", row.traffic)),
    )


def _shifts(row: OnlineEndpoint, before: Mapping[str, int]) -> tuple[str, ...]:
    """Who gets how much, and whether somebody is there to answer it."""
    ready = dict(row.deployments.values_list("name", "ready_instances"))
    effects = []
    for name in dict.fromkeys((*before, *row.traffic)):
        old, new = before.get(name, 0), row.traffic.get(name, 0)
        if old == new:
            continue
        there = f"{ready.get(name, 0)} ready" if ready.get(name) else "none ready: its share would be refused"
        effects.append(f"{name}: {old} % to {new} % of live requests" + (f" ({there})." if new else "."))
    return tuple(effects)
