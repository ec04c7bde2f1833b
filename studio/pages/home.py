"""The overview, and the search over everything that has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from django.db.models import Sum
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from endpoints import selectors
from endpoints.spec.errors import Forbidden
from endpoints.spec.states import OperationState
from studio.access import actions
from studio.access.policy import grants_of
from studio.pages.answers import Request, page, polled
from studio.pages.endpoint_access import request_of
from studio.pages.lists import matching, words_of
from studio.pages.samples import curl

T = TypeVar("T")

SHOWN = 8
FOUND_PER_KIND = 20


@require_GET
def home(request: Request) -> HttpResponse:
    """Counts, endpoints with their state, what happened last, and how to call the first endpoint."""
    user = request.user
    grants = grants_of(user)
    rows = _or_nothing(lambda: list(selectors.endpoints_for(user)[:SHOWN]))
    operations = _or_nothing(lambda: list(selectors.operations_for(user)[:SHOWN]))
    totals = _totals(request)
    first = next((one for one in rows if sum(one.traffic.values())), None)
    context = {
        "endpoints": rows,
        "operations": operations,
        "totals": totals,
        "may_deploy": grants.allows(actions.ENDPOINTS_WRITE) and grants.allows(actions.DEPLOYMENTS_WRITE),
        "first": first,
        "curl": curl(selectors.scoring_uri(first), body=request_of(user, first)) if first else "",
    }
    is_settled = not any(one.state == OperationState.RUNNING for one in operations)
    return polled(request, "pages/home.html", context, fragment="live", is_settled=is_settled)


def _totals(request: Request) -> dict[str, int]:
    """How many of everything this person may see."""
    user = request.user
    seen = _or_nothing(lambda: [selectors.endpoints_for(user)])
    sums = {"wanted": 0, "ready": 0, "endpoints": 0, "deployments": 0}
    if seen:
        found = (
            seen[0]
            .order_by()
            .aggregate(wanted=Sum("wanted_instances"), ready=Sum("ready_total"), deployments=Sum("deployment_count"))
        )
        sums |= {key: value or 0 for key, value in found.items()} | {"endpoints": seen[0].count()}
    models = _or_nothing(lambda: [selectors.models_for(user).count()])
    environments = _or_nothing(lambda: [selectors.environments_for(user).count()])
    return {**sums, "models": sum(models), "environments": sum(environments)}


def _or_nothing(read: Callable[[], list[T]]) -> list[T]:
    """What was read; nothing where this person may not read it, for the overview refuses nobody."""
    try:
        return read()
    except Forbidden:
        return []


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found."""

    kind: str
    title: str
    text: str
    url: str


@require_GET
def search(request: Request) -> HttpResponse:
    words = words_of(request)
    hits: list[Hit] = []
    if words:
        for find in (_endpoint_hits, _model_hits, _environment_hits):
            hits += _or_nothing(partial(_found, find, request, words))
    return page(request, "pages/search.html", {"query": words, "hits": hits}, fragment="hits")


def _found(find: Callable[[Request, str], Iterable[Hit]], request: Request, words: str) -> list[Hit]:
    return list(find(request, words))


def _endpoint_hits(request: Request, words: str) -> Iterable[Hit]:
    rows = matching(selectors.endpoints_for(request.user), words, "name", "description", "tags", "deployments__name")
    for row in rows.distinct()[:FOUND_PER_KIND]:
        yield Hit("Online endpoint", row.name, row.description, reverse("endpoints:detail", args=[row.name]))


def _model_hits(request: Request, words: str) -> Iterable[Hit]:
    rows = matching(selectors.models_for(request.user), words, "model__name", "description", "tags")
    for row in rows[:FOUND_PER_KIND]:
        yield Hit("Model", str(row), row.description, reverse("models:detail", args=[row.model.name]))


def _environment_hits(request: Request, words: str) -> Iterable[Hit]:
    rows = matching(selectors.environments_for(request.user), words, "environment__name", "description", "tags")
    for row in rows[:FOUND_PER_KIND]:
        yield Hit("Environment", str(row), row.description, reverse("environments:detail", args=[row.environment.name]))
