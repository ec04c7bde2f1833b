"""Activity: every change that was asked for, who asked, and how it went."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from endpoints import selectors
from endpoints.spec.states import OperationState
from studio.access import actions
from studio.access.policy import grants_of
from studio.pages.answers import Request, page, polled
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
    context = {"operation": operation}
    return polled(request, "pages/operations/detail.html", context, fragment="live", is_settled=is_settled)


@require_GET
def endpoint_activity(request: Request, name: str) -> HttpResponse:
    context = frame(request.user, name, "activity")
    context["page"] = page_of(request, selectors.operations_for(request.user, name))
    return page(request, "pages/endpoints/activity.html", context)
