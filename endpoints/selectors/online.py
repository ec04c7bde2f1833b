"""Endpoints, deployments and instances. An endpoint the caller may not read does not exist for them."""

from __future__ import annotations

from copy import copy

from django.db.models import Count, F, Prefetch, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from endpoints.models import DeploymentRevision, Instance, OnlineDeployment, OnlineEndpoint
from endpoints.selectors.hiding import hide_values
from endpoints.spec.errors import Forbidden, NotFound
from endpoints.spec.states import InstanceState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require

SHOWN_FAILURES = 5


def endpoints_for(user: User) -> QuerySet[OnlineEndpoint]:
    """The endpoints `user` may read, by name, with their deployments fetched.

    Annotated with deployment_count, wanted_instances and ready_total (instances over all deployments).
    """
    return (
        readable_endpoints(user)
        .annotate(
            deployment_count=Count("deployments"),
            wanted_instances=Coalesce(Sum("deployments__instance_count"), 0),
            ready_total=Coalesce(Sum("deployments__ready_instances"), 0),
        )
        .select_related("created_by")
        .prefetch_related(Prefetch("deployments", OnlineDeployment.objects.order_by("colour", "pk")))
        .order_by("name")
    )


def readable_endpoints(user: User) -> QuerySet[OnlineEndpoint]:
    """The same alone, in no order: to be counted, or to begin with."""
    names = grants_of(user).endpoints(actions.ENDPOINTS_READ)
    if names is not None and not names:
        require(user, actions.ENDPOINTS_READ)
    return OnlineEndpoint.objects.all() if names is None else OnlineEndpoint.objects.filter(name__in=names)


def authorised_endpoint(user: User, name: str, action: str) -> OnlineEndpoint:
    """The endpoint, for one who may do `action` on it.

    NotFound where there is none or the caller may neither read it nor do this; Forbidden where they may read it.
    Names ignore case: they are stored in lower case.
    """
    name = name.lower()
    grants = grants_of(user)
    may_act = grants.allows(action, name)
    if not may_act and not grants.allows(actions.ENDPOINTS_READ, name):
        raise no_such_endpoint(name)
    endpoint = OnlineEndpoint.objects.select_related("created_by").filter(name=name).first()
    if endpoint is None:
        raise no_such_endpoint(name)
    if not may_act:
        require(user, action, name)
    return endpoint


def no_such_endpoint(name: str) -> NotFound:
    return NotFound(f"There is no endpoint named {name!r}.")


def get_endpoint(user: User, name: str) -> OnlineEndpoint:
    """The endpoint, if `user` may read it."""
    return authorised_endpoint(user, name, actions.ENDPOINTS_READ)


def deployments_of(user: User, endpoint: OnlineEndpoint | str) -> QuerySet[OnlineDeployment]:
    """The deployments of an endpoint, or of the one a selector gave, in order of creation; with who made them."""
    if isinstance(endpoint, str):
        found = authorised_endpoint(user, endpoint, actions.DEPLOYMENTS_READ)
    else:
        found = endpoint
        _require_readable(user, found.name)
    rows = OnlineDeployment.objects.filter(endpoint=found).select_related("endpoint", "created_by")
    return _with_revision(rows).order_by("colour", "created_at", "pk")


def shown_revision(user: User, deployment: OnlineDeployment) -> DeploymentRevision:
    """What `revision_now` gives, for showing: without values of variables the reader may not see."""
    revision = copy(revision_now(deployment))
    hide_values(user, deployment.endpoint.name, [revision])
    return revision


def _with_revision(rows: QuerySet[OnlineDeployment]) -> QuerySet[OnlineDeployment]:
    """Fetch what `revision_now` gives for all rows at once."""
    wanted = DeploymentRevision.objects.filter(number=F("deployment__revision"))
    wanted = wanted.select_related("model_version__model", "environment_version__environment")
    return rows.prefetch_related(Prefetch("revisions", wanted, to_attr="fetched_revisions"))


def revision_now(deployment: OnlineDeployment) -> DeploymentRevision:
    """What an authorised deployment is wanted to be made of; no query where a selector fetched it."""
    fetched: list[DeploymentRevision] | None = getattr(deployment, "fetched_revisions", None)
    revision = fetched[0] if fetched else deployment.revisions.get(number=deployment.revision)
    revision.deployment = deployment
    return revision


def authorised_deployment(user: User, endpoint: str, name: str, action: str) -> OnlineDeployment:
    """The deployment, for one who may do `action` on its endpoint; NotFound and Forbidden as for endpoints."""
    parent = authorised_endpoint(user, endpoint, action)
    rows = OnlineDeployment.objects.select_related("created_by").filter(endpoint=parent, name=name.lower())
    row = _with_revision(rows).first()
    if row is None:
        raise NotFound(f"The endpoint {parent.name!r} has no deployment named {name!r}.")
    row.endpoint = parent
    return row


def get_deployment(user: User, endpoint: str, name: str) -> OnlineDeployment:
    """The deployment, if `user` may read it."""
    return authorised_deployment(user, endpoint, name, actions.DEPLOYMENTS_READ)


def revisions_of(user: User, deployment: OnlineDeployment) -> QuerySet[DeploymentRevision]:
    """What the deployment was made of, newest first."""
    _require_readable(user, deployment.endpoint.name)
    return (
        DeploymentRevision.objects.filter(deployment=deployment)
        .select_related("model_version__model", "environment_version__environment", "created_by")
        .order_by("-number")
    )


def current_revision(user: User, deployment: OnlineDeployment) -> DeploymentRevision:
    """What the deployment is wanted to be made of now."""
    _require_readable(user, deployment.endpoint.name)
    return shown_revision(user, deployment)


def instances_of(user: User, deployment: OnlineDeployment, *, include_ended: bool = False) -> QuerySet[Instance]:
    """Instances as last observed, oldest first; with `include_ended` those that are gone as well."""
    _require_readable(user, deployment.endpoint.name)
    rows = Instance.objects.filter(deployment=deployment)
    return (rows if include_ended else rows.filter(ended_at__isnull=True)).order_by("created_at", "pk")


def recent_failures(user: User, deployment: OnlineDeployment, *, most: int = SHOWN_FAILURES) -> list[Instance]:
    """The last instances that ended by themselves or had to be ended, newest first, each with its reason."""
    gone = instances_of(user, deployment, include_ended=True)
    failed = gone.filter(state=InstanceState.FAILED, ended_at__isnull=False)
    return list(failed.order_by("-ended_at", "-pk")[:most])


def deployments_using(
    user: User,
    *,
    model_name: str = "",
    model_version: str = "",
    environment_name: str = "",
    environment_version: str = "",
) -> QuerySet[OnlineDeployment]:
    """Deployments whose wanted revision uses the model or environment; empty strings mean any version."""
    names = grants_of(user).endpoints(actions.DEPLOYMENTS_READ)
    revisions = DeploymentRevision.objects.filter(number=F("deployment__revision"))
    wanted = Q()
    for path, value in (
        ("model_version__model__name", model_name),
        ("model_version__version", model_version),
        ("environment_version__environment__name", environment_name),
        ("environment_version__version", environment_version),
    ):
        wanted &= Q(**{path: value}) if value else Q()
    rows = OnlineDeployment.objects.filter(pk__in=revisions.filter(wanted).values("deployment_id"))
    rows = rows if names is None else rows.filter(endpoint__name__in=names)
    return rows.select_related("endpoint", "created_by").order_by("endpoint__name", "colour", "pk")


def _require_readable(user: User, endpoint: str) -> None:
    try:
        require(user, actions.DEPLOYMENTS_READ, endpoint)
    except Forbidden:
        if grants_of(user).allows(actions.ENDPOINTS_READ, endpoint):
            raise
        raise no_such_endpoint(endpoint) from None
