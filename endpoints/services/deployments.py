"""Deployments: created, changed, retried, deleted. Each verb writes what is wanted and wakes the reconciler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from endpoints.control import routes
from endpoints.control.wanted import settings_of
from endpoints.models import DeploymentRevision, OnlineDeployment, OnlineEndpoint, Operation
from endpoints.selectors import authorised_deployment, authorised_endpoint
from endpoints.services import limits, pool, quota, templates
from endpoints.services.backends import choose_backend, require_gpus
from endpoints.services.deployment_changes import DeploymentDifference
from endpoints.services.operations import Change, begin_removal, begin_roll_out, note_change
from endpoints.services.policed import awake_where_it_must_be, scaling_values, tried_before_it_sleeps, under_policy
from endpoints.services.templates import ROW_KEYS, Template
from endpoints.services.waking import wake_reconciler
from endpoints.spec.documents import OnlineDeploymentDocument, require_managed
from endpoints.spec.errors import Conflict, FieldError, Invalid
from endpoints.spec.gateway_settings import without_defaults
from endpoints.spec.traffic import traffic_problems
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

Document = OnlineDeploymentDocument | Mapping[str, object]


def read_document(document: Document) -> OnlineDeploymentDocument:
    """The validated document; a mapping is read first."""
    if isinstance(document, OnlineDeploymentDocument):
        return document
    return OnlineDeploymentDocument.read(document)


def create_deployment(
    actor: User,
    *,
    document: Document,
    all_traffic: bool = False,
    traffic: Mapping[str, int] | None = None,
    skip_script_validation: bool = False,
) -> Operation:
    """Create a deployment under an existing endpoint; model, environment and code must be here already.

    all_traffic, traffic: the endpoint's split to set once the deployment is ready, never before.
    """
    wanted = read_document(document)
    require_managed(wanted)
    authorised_endpoint(actor, wanted.endpoint_name, actions.DEPLOYMENTS_WRITE)
    backend = choose_backend(wanted.backend)
    with transaction.atomic():
        endpoint = _locked_endpoint(wanted.endpoint_name)
        _require_new(endpoint, wanted.name)
        limits.require_room_for_deployment(endpoint)
        split = _split_when_ready(actor, endpoint, wanted.name, all_traffic=all_traffic, traffic=traffic)
        size = quota.find_size(wanted.instance_type)
        require_gpus(backend, size)
        limits.require_instance_count(wanted.instance_count)
        limits.require_request_timeout(wanted.request_settings.request_timeout_ms)
        wanted = replace(wanted, instance_count=wanted.instance_count or 1)  # it is tried before it sleeps
        template = templates.resolve(actor, wanted, instance_type=size.name, check_script=not skip_script_validation)
        pool.require_hours(wanted.shared_pool_hours)
        taken = pool.take(
            size,
            wanted.instance_count,
            endpoint=endpoint.name,
            deployment=wanted.name,
            may_borrow=wanted.shared_pool_hours > 0,
        )
        deployment = OnlineDeployment.objects.create(
            endpoint=endpoint,
            name=wanted.name,
            backend=backend,
            instance_type=size.name,
            colour=_next_colour(endpoint),
            traffic_when_ready=split,
            created_by=actor,
            **_row_values(wanted),
        )
        _add_revision(actor, deployment, template)
        pool.stand_on(actor, deployment, taken, hours=wanted.shared_pool_hours)
        operation = begin_roll_out(
            actor, deployment, kind="CreateDeployment", summary="Create the deployment", quota=taken.detail
        )
        wake_reconciler(deployment)
    return operation


def _locked_endpoint(name: str) -> OnlineEndpoint:
    endpoint = OnlineEndpoint.objects.select_for_update().filter(name=name).first()
    if endpoint is None or endpoint.deletion_requested_at:
        raise Conflict(f"The endpoint {name!r} is being deleted.")
    return endpoint


def _require_new(endpoint: OnlineEndpoint, name: str) -> None:
    existing = endpoint.deployments.filter(name=name).first()
    if existing is None:
        return
    if existing.deletion_requested_at:
        message = f"The deployment {name!r} is being deleted; create it again when it is gone."
    else:
        message = f"The endpoint {endpoint.name!r} has a deployment {name!r} already; update it, or use another name."
    raise Conflict(message, details=[FieldError("name", message)])


def _split_when_ready(
    actor: User, endpoint: OnlineEndpoint, name: str, *, all_traffic: bool, traffic: Mapping[str, int] | None
) -> dict[str, int] | None:
    """The split to set later, checked now. Traffic is the endpoint's, so it needs the endpoint's permission."""
    if not all_traffic and traffic is None:
        return None
    require(actor, actions.ENDPOINTS_WRITE, endpoint.name)
    names = [*endpoint.deployments.filter(deletion_requested_at=None).values_list("name", flat=True), name]
    if all_traffic:
        return {each: 100 if each == name else 0 for each in names}
    problems = traffic_problems(traffic or {}, deployments=names)
    if problems:
        raise Invalid(f"{problems[0].field}: {problems[0].message}", details=problems)
    return dict(traffic or {})


def _next_colour(endpoint: OnlineEndpoint) -> int:
    last: int | None = endpoint.deployments.aggregate(last=Max("colour"))["last"]
    return 0 if last is None else last + 1


def _row_values(document: OnlineDeploymentDocument) -> dict[str, object]:
    values = {
        **document.to_json(),
        "scaling": scaling_values(document),
        "gateway_settings": without_defaults(document.gateway_settings),
    }
    return {key: values[key] for key in ROW_KEYS}


def _add_revision(actor: User, deployment: OnlineDeployment, template: Template) -> DeploymentRevision:
    return DeploymentRevision.objects.create(
        deployment=deployment,
        number=deployment.revision,
        spec=template.spec,
        model_version=template.model_version,
        environment_version=template.environment_version,
        code_digest=template.code_digest,
        created_by=actor,
    )


def update_deployment(
    actor: User, *, endpoint: str, name: str, document: Document, skip_script_validation: bool = False
) -> Operation | None:
    """Bring the deployment to what the document says; only what differs changes, and None means nothing did.

    A mapping need name only the keys to change (None: back to the default); a document says everything.
    """
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        assets = deployment.revisions.select_related("model_version__model", "environment_version__environment")
        revision = assets.get(number=deployment.revision)
        revision.deployment = deployment
        wanted = _read_change(document, revision)
        _require_timeout(wanted, revision)
        wanted = under_policy(deployment, wanted, is_whole=isinstance(document, OnlineDeploymentDocument))
        size = quota.find_size(wanted.instance_type)
        template = templates.resolve(
            actor, wanted, instance_type=size.name, check_script=not skip_script_validation, current=revision
        )
        if not template.is_same_as(revision):
            wanted = replace(wanted, instance_count=wanted.instance_count or 1)
        difference = _difference(deployment, wanted, revision, template)
        if not difference:
            return None
        if "shared_pool_hours" in difference.row:
            pool.require_hours(wanted.shared_pool_hours)
        found = _take_quota(actor, deployment, wanted.instance_count, size_name=size.name)
        return _apply(actor, deployment, revision, difference, found)


def _require_timeout(wanted: OnlineDeploymentDocument, revision: DeploymentRevision) -> None:
    """A time-out that stays is never refused, whatever became of the limit."""
    timeout_ms = wanted.request_settings.request_timeout_ms
    if timeout_ms != settings_of(revision).requests.request_timeout_ms:
        limits.require_request_timeout(timeout_ms)


def locked_deployment(known: OnlineDeployment) -> OnlineDeployment:
    """The row under lock, its endpoint's first: all verbs take them in that order."""
    endpoint = _locked_endpoint(known.endpoint.name)
    deployment = OnlineDeployment.objects.select_for_update().filter(pk=known.pk).first()
    if deployment is None or deployment.deletion_requested_at:
        raise Conflict(f"The deployment {known.name!r} is being deleted.")
    deployment.endpoint = endpoint
    return deployment


def _read_change(document: Document, revision: DeploymentRevision) -> OnlineDeploymentDocument:
    if not isinstance(document, OnlineDeploymentDocument):
        values = awake_where_it_must_be(templates.merged(revision, document), document)
        document = OnlineDeploymentDocument.read(values)
    require_managed(document)
    deployment = revision.deployment
    for field, kept, given in (
        ("name", deployment.name, document.name),
        ("endpoint_name", deployment.endpoint.name, document.endpoint_name),
        ("backend", deployment.backend, document.backend or deployment.backend),
    ):
        if kept != given:
            message = f"A deployment keeps its {field}: {kept!r} cannot become {given!r}."
            raise Invalid(message, details=[FieldError(field, message)])
    return document


def _difference(
    deployment: OnlineDeployment, wanted: OnlineDeploymentDocument, revision: DeploymentRevision, template: Template
) -> DeploymentDifference:
    row = {key: value for key, value in _row_values(wanted).items() if getattr(deployment, key) != value}
    return DeploymentDifference(row, None if template.is_same_as(revision) else template)


def _take_quota(actor: User, deployment: OnlineDeployment, instance_count: int, *, size_name: str) -> str:
    """Quota is asked only for more: what shrinks, or stays, is never refused, whatever became of the limit."""
    if deployment.stopped_at:
        return "none while it is stopped"
    size = quota.find_size(size_name)
    if size_name == deployment.instance_type and instance_count <= deployment.instance_count:
        pool.shrink(deployment, size, instance_count)
        return "no more cores than before"
    limits.require_instance_count(instance_count)
    require_gpus(deployment.backend, size)
    taken = pool.take(
        size,
        instance_count,
        endpoint=deployment.endpoint.name,
        deployment=deployment.name,
        may_borrow=pool.open_loan(deployment) is not None,
    )
    pool.stand_on(actor, deployment, taken)
    return taken.detail


def _apply(
    actor: User,
    deployment: OnlineDeployment,
    revision: DeploymentRevision,
    difference: DeploymentDifference,
    found: str,
) -> Operation:
    summary = difference.summary(deployment, revision.spec)
    change = difference.change(deployment, revision.spec)
    for key, value in difference.row.items():
        setattr(deployment, key, value)
    columns = [*difference.row, "updated_at"]
    if not difference.touches_instances:
        deployment.save(update_fields=columns)
        if {"gateway_settings", "scaling"} & difference.row.keys():
            routes.publish([deployment.endpoint.name])
        return note_change(actor, deployment, kind="UpdateDeployment", summary=summary, change=change)
    deployment.generation += 1
    columns.append("generation")
    if difference.template:
        deployment.instance_type = difference.template.spec["instance_type"]
        deployment.revision = _last_number(deployment) + 1
        _add_revision(actor, deployment, difference.template)
        columns += ["instance_type", "revision"]
    deployment.save(update_fields=columns)
    operation = begin_roll_out(actor, deployment, kind="UpdateDeployment", summary=summary, quota=found, change=change)
    wake_reconciler(deployment)
    return operation


def _last_number(deployment: OnlineDeployment) -> int:
    last: int = deployment.revisions.aggregate(last=Max("number"))["last"]
    return last


def scale_deployment(actor: User, *, endpoint: str, name: str, instance_count: int) -> Operation | None:
    """Run more or fewer instances of the same; None where there are so many already."""
    return update_deployment(actor, endpoint=endpoint, name=name, document={"instance_count": instance_count})


def retry_deployment(actor: User, *, endpoint: str, name: str) -> Operation:
    """Try again what failed, with nothing changed."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        if not deployment.failure:
            raise Conflict(f"The deployment {known.name!r} has not failed; there is nothing to retry.")
        deployment.generation += 1
        deployment.save(update_fields=["generation", "updated_at"])
        found = "no more cores than before"
        operation = begin_roll_out(actor, deployment, kind="RetryDeployment", summary="Try again", quota=found)
        wake_reconciler(deployment)
    return operation


def roll_back_deployment(actor: User, *, endpoint: str, name: str, revision: int) -> Operation | None:
    """Return to what an earlier revision was made of, as a roll; None where it is that one already.

    Count, tags and the gateway's settings stay: they are the deployment's, not the revision's.
    """
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        goal = deployment.revisions.filter(number=revision).first()
        if goal is None:
            message = (
                f"The deployment {known.name!r} has no revision {revision}; it has 1 to {_last_number(deployment)}."
            )
            raise Invalid(message, details=[FieldError("revision", message)])
        if goal.number == deployment.revision:
            return None
        size = quota.find_size(goal.spec["instance_type"])
        count = tried_before_it_sleeps(deployment)
        found = _take_quota(actor, deployment, count, size_name=size.name)
        summary = f"Roll back from revision {deployment.revision} to {revision}"
        change = Change({"revision": deployment.revision}, {"revision": revision})
        deployment.generation += 1
        deployment.revision, deployment.instance_type, deployment.instance_count = revision, size.name, count
        deployment.save(update_fields=["generation", "revision", "instance_type", "instance_count", "updated_at"])
        operation = begin_roll_out(
            actor, deployment, kind="RollBackDeployment", summary=summary, quota=found, change=change
        )
        wake_reconciler(deployment)
    return operation


def delete_deployment(actor: User, *, endpoint: str, name: str) -> Operation:
    """Delete a deployment that has no traffic. Asking twice is no error."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_DELETE)
    with transaction.atomic():
        parent = OnlineEndpoint.objects.select_for_update().get(pk=known.endpoint.pk)
        deployment = OnlineDeployment.objects.select_for_update().filter(pk=known.pk).first()
        if deployment is None:
            raise Conflict(f"The deployment {known.name!r} has just been deleted.")
        deployment.endpoint = parent
        if deployment.deletion_requested_at and (operation := _running_removal(deployment)):
            return operation
        _require_no_traffic(parent, known.name)
        deployment.deletion_requested_at = deployment.deletion_requested_at or timezone.now()
        deployment.generation += 1
        deployment.save(update_fields=["deletion_requested_at", "generation", "updated_at"])
        _forget_split(parent, known.name)
        operation = begin_removal(actor, deployment)
        wake_reconciler(deployment)
    return operation


def _running_removal(deployment: OnlineDeployment) -> Operation | None:
    rows = Operation.objects.filter(
        endpoint_name=deployment.endpoint.name,
        deployment_name=deployment.name,
        kind="DeleteDeployment",
        state="Running",
    )
    return rows.order_by("-created_at").first()


def _require_no_traffic(endpoint: OnlineEndpoint, name: str) -> None:
    if share := endpoint.traffic.get(name):
        others = [each for each in endpoint.traffic if each != name]
        split = f"{name}=0 {others[0]}=100" if others else f"{name}=0"
        raise Conflict(
            f"The deployment {name!r} receives {share} % of the live traffic. Give it to another first: "
            f'slipway online-endpoint update --name {endpoint.name} --traffic "{split}"'
        )
    if endpoint.mirror_traffic.get(name):
        raise Conflict(
            f"Traffic is mirrored to the deployment {name!r}. Stop that first: "
            f'slipway online-endpoint update --name {endpoint.name} --mirror-traffic "{name}=0"'
        )


def _forget_split(endpoint: OnlineEndpoint, name: str) -> None:
    """Take the deployment's 0 % out of the endpoint's split, which names existing deployments only."""
    for column in ("traffic", "mirror_traffic"):
        getattr(endpoint, column).pop(name, None)
    endpoint.save(update_fields=["traffic", "mirror_traffic", "updated_at"])
