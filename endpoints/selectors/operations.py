"""Operations and their steps. Who may read an endpoint may follow what is done to it."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from endpoints.models import Operation
from endpoints.selectors.online import no_such_endpoint
from endpoints.spec.errors import NotFound
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require


def operations_for(user: User, endpoint: str = "", deployment: str = "") -> QuerySet[Operation]:
    """Operations newest first, with steps: all that may be read, an endpoint's, or a deployment's."""
    grants = grants_of(user)
    names = grants.endpoints(actions.ENDPOINTS_READ)
    rows = Operation.objects.select_related("created_by").prefetch_related("steps").order_by("-created_at", "-pk")
    if endpoint:
        endpoint, deployment = endpoint.lower(), deployment.lower()
        if not grants.allows(actions.ENDPOINTS_READ, endpoint):
            raise no_such_endpoint(endpoint)
        rows = rows.filter(endpoint_name=endpoint)
        return rows.filter(deployment_name=deployment) if deployment else rows
    if names is None:
        return rows
    if not names:
        require(user, actions.ENDPOINTS_READ)
    return rows.filter(endpoint_name__in=names)


def get_operation(user: User, id: UUID | str) -> Operation:  # noqa: A002  # the name callers know it by
    """One operation with its steps. Its author may always follow it."""
    missing = NotFound(f"There is no operation {str(id)!r}.")
    try:
        key = id if isinstance(id, UUID) else UUID(id)
    except ValueError:
        raise missing from None
    row = Operation.objects.select_related("created_by").prefetch_related("steps").filter(pk=key).first()
    if row is None:
        raise missing
    if row.created_by_id != user.pk and not grants_of(user).allows(actions.ENDPOINTS_READ, row.endpoint_name):
        raise missing
    return row
