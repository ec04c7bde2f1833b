"""Activity: every change that was asked for, who asked, and how it went."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from endpoints import selectors
from endpoints.models import Operation
from endpoints.services.cancellation import cancel_operation
from endpoints.spec.states import OperationState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of
from studio.pages.answers import Request, go, page, polled
from studio.pages.endpoints import frame
from studio.pages.lists import matching, page_of, words_of


@require_GET
def operation_list(request: Request) -> HttpResponse:
    rows = selectors.operations_for(request.user)
    words, state = words_of(request), request.GET.get("state", "")
    found = matching(rows, words, "endpoint_name", "deployment_name", "kind", "summary", "created_by__username")
    if state in {one.value for one in OperationState}:
        found = found.filter(state=state)
    context = {
        "page": page_of(request, found),
        "words": words,
        "states": list(OperationState),
        "chosen_state": state,
        "may_audit": grants_of(request.user).allows(actions.AUDIT_READ),
    }
    return page(request, "pages/operations/list.html", context, fragment="rows")


@require_GET
def operation_detail(request: Request, operation_id: UUID) -> HttpResponse:
    operation = selectors.get_operation(request.user, operation_id)
    is_settled = operation.state != OperationState.RUNNING
    context = {"operation": operation, "may_cancel": may_cancel(request.user, operation)}
    return polled(request, "pages/operations/detail.html", context, fragment="live", is_settled=is_settled)


@require_POST
def operation_cancel(request: Request, operation_id: UUID) -> HttpResponse:
    """Ask for the end of a change under way; the page it came from shows how it goes."""
    operation = cancel_operation(request.user, operation_id=operation_id)
    return go(request, reverse("operations:detail", args=[operation.pk]))


def may_cancel(user: User, operation: Operation | None) -> bool:
    """Whether the button is offered; the service decides."""
    if operation is None or operation.state != OperationState.RUNNING or operation.kind.startswith("Delete"):
        return False
    is_allowed = grants_of(user).allows(actions.DEPLOYMENTS_WRITE, operation.endpoint_name)
    return bool(operation.deployment_name) and is_allowed


@require_GET
def endpoint_activity(request: Request, name: str) -> HttpResponse:
    context = frame(request.user, name, "activity")
    context["page"] = page_of(request, selectors.operations_for(request.user, name))
    return page(request, "pages/endpoints/activity.html", context)
