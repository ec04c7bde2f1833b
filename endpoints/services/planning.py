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
from endpoints.selectors import authorised_deployment, authorised_endpoint, revision_now
from endpoints.services.deployments import create_deployment, delete_deployment, update_deployment
from endpoints.services.endpoints import create_endpoint, update_endpoint
from endpoints.services.templates import document_of
from endpoints.spec.differences import Difference, differences
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.ordering import in_order, is_deployment, named_deployments
from endpoints.spec.schema import to_json
from studio.access import actions
from studio.access.models import User

Action = Literal["create", "update", "delete", "nothing"]
Source = Mapping[str, object]


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


def plan_changes(actor: User, *, documents: Sequence[Source], prune: bool = False) -> list[Planned]:
    """What applying the documents would do, in the order of `in_order`. Raises what the first refusal would raise.

    A document that names an endpoint_name is a deployment's, any other an endpoint's. With `prune`, deployments of the
    endpoints named by a document of their own that are not among the documents are deleted, last.
    """
    with transaction.atomic():
        coming: set[tuple[str, str]] = set()
        planned = [_plan(actor, document, coming) for document in in_order(documents)]
        if prune:
            planned += _plan_removals(actor, documents)
        transaction.set_rollback(True)
    return planned


def _plan(actor: User, document: Source, coming: set[tuple[str, str]]) -> Planned:
    """`coming`: the deployments that earlier documents create."""
    if not is_deployment(document):
        return _plan_endpoint(actor, OnlineEndpointDocument.read(document), given=document, coming=coming)
    planned = _plan_deployment(actor, OnlineDeploymentDocument.read(document))
    if planned.action == "create":
        coming.add((planned.endpoint, planned.deployment))
    return planned


def _plan_removals(actor: User, documents: Sequence[Source]) -> list[Planned]:
    """Of deployments that left the documents. One with live traffic is refused, as deleting it would be."""
    planned = []
    for endpoint, kept in named_deployments(documents).items():
        rows = OnlineDeployment.objects.filter(endpoint__name=endpoint, deletion_requested_at=None)
        for row in rows.exclude(name__in=kept).order_by("name"):
            delete_deployment(actor, endpoint=endpoint, name=row.name)
            effects = ("No live requests come here.",)
            planned.append(Planned(endpoint, row.name, action="delete", stopped=row.instance_count, effects=effects))
    return planned


# Deployments -----------------------------------------------------------------------------------------------


def plan_deployment_change(actor: User, *, endpoint: str, name: str, document: OnlineDeploymentDocument) -> Planned:
    """What `update_deployment` would do to the one that goes by these names; raises what it would raise."""
    row = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        planned = _update_deployment(actor, row, document)
        transaction.set_rollback(True)
    return planned


def _plan_deployment(actor: User, wanted: OnlineDeploymentDocument) -> Planned:
    endpoint, name = wanted.endpoint_name.lower(), wanted.name.lower()
    row = _deployment(endpoint, name)
    if row is not None:
        return _update_deployment(actor, row, wanted)
    operation = create_deployment(actor, document=wanted)
    return Planned(
        endpoint=endpoint,
        deployment=name,
        action="create",
        started=wanted.instance_count,
        quota=_quota_of(operation),
        effects=("It gets no live traffic until the endpoint's split names it.",),
    )


def _update_deployment(actor: User, row: OnlineDeployment, wanted: OnlineDeploymentDocument) -> Planned:
    endpoint, name = row.endpoint.name, row.name
    before, count, number = document_of(revision_now(row)), row.instance_count, row.revision
    changed = update_deployment(actor, endpoint=endpoint, name=name, document=wanted)
    if changed is None:
        return Planned(endpoint=endpoint, deployment=name, action="nothing")
    now = _deployment(endpoint, name) or row
    is_rolled = now.revision != number
    return Planned(
        endpoint=endpoint,
        deployment=name,
        action="update",
        changes=tuple(differences(before, document_of(revision_now(now)))),
        replaced=_outdated(now) if is_rolled else (),
        started=max(0, now.instance_count - count),
        stopped=max(0, count - now.instance_count),
        quota=_quota_of(changed),
        effects=_effects(now, count, is_rolled=is_rolled),
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


def plan_endpoint_change(actor: User, *, name: str, changes: Source) -> Planned:
    """What `update_endpoint` would do to the one of that name; raises what it would raise."""
    row = authorised_endpoint(actor, name, actions.ENDPOINTS_WRITE)
    with transaction.atomic():
        planned = _update_endpoint(actor, row, changes, set())
        transaction.set_rollback(True)
    return planned


def _plan_endpoint(
    actor: User, wanted: OnlineEndpointDocument, *, given: Source, coming: set[tuple[str, str]]
) -> Planned:
    row = OnlineEndpoint.objects.filter(name=wanted.name).first()
    if row is None:
        create_endpoint(actor, document=wanted)
        return Planned(endpoint=wanted.name, deployment="", action="create")
    changes = {key: to_json(getattr(wanted, key)) for key in given if not key.startswith("$")}
    return _update_endpoint(actor, row, changes, coming)


def _update_endpoint(actor: User, row: OnlineEndpoint, changes: Source, coming: set[tuple[str, str]]) -> Planned:
    kept = [key for key in changes if hasattr(row, key)]  # a location, say, is read and not kept
    before = {key: getattr(row, key) for key in kept}
    if update_endpoint(actor, name=row.name, changes=changes) is None:
        return Planned(endpoint=row.name, deployment="", action="nothing")
    row.refresh_from_db()
    after = {key: getattr(row, key) for key in kept}
    return Planned(
        endpoint=row.name,
        deployment="",
        action="update",
        changes=tuple(differences(before, after)),
        effects=_shifts(row, before.get("traffic", row.traffic), coming),
    )


def _shifts(row: OnlineEndpoint, before: Mapping[str, int], coming: set[tuple[str, str]]) -> tuple[str, ...]:
    """Who gets how much, and whether somebody is there to answer it."""
    ready = dict(row.deployments.values_list("name", "ready_instances"))
    effects = []
    for name in dict.fromkeys((*before, *row.traffic)):
        old, new = before.get(name, 0), row.traffic.get(name, 0)
        if old == new:
            continue
        there = f"{ready.get(name, 0)} ready" if ready.get(name) else "none ready: its share would be refused"
        if (row.name, name) in coming:
            there = "once it is ready"
        effects.append(f"{name}: {old} % to {new} % of live requests" + (f" ({there})." if new else "."))
    return tuple(effects)
