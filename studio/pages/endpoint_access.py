"""How programs call an endpoint: its keys, shown only when asked for, and samples that call it."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import OnlineEndpoint
from endpoints.services.credentials import KeyType
from endpoints.spec.errors import Forbidden
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require
from studio.pages.answers import Request, go, page
from studio.pages.endpoints import frame
from studio.pages.invoke import kept_request
from studio.pages.samples import EMPTY_BODY, on_one_line, samples_for

OTHER: dict[str, KeyType] = {"primary": "secondary", "secondary": "primary"}


def request_of(user: User, endpoint: OnlineEndpoint) -> str:
    """A request the live deployment answers, as far as one is kept with it; else an empty one."""
    try:
        rows = sorted(selectors.deployments_of(user, endpoint), key=lambda one: -endpoint.traffic.get(one.name, 0))
    except Forbidden:
        rows = []
    kept = next((text for one in rows if (text := kept_request(one))), "")
    return on_one_line(kept) if kept else EMPTY_BODY


@require_GET
def consume(request: Request, name: str) -> HttpResponse:
    context = frame(request.user, name, "consume")
    endpoint = selectors.get_endpoint(request.user, name)
    context["samples"] = samples_for(
        name=name,
        scoring_uri=str(context["scoring_uri"]),
        auth_mode=endpoint.auth_mode,
        body=request_of(request.user, endpoint),
    )
    return page(request, "pages/endpoints/consume.html", context)


@never_cache
@require_POST
def show_keys(request: Request, name: str) -> HttpResponse:
    """The secrets themselves. A POST, so that no history, preload or log of addresses ever holds or triggers it."""
    context = frame(request.user, name, "consume")
    endpoint = selectors.get_endpoint(request.user, name)
    context["credentials"] = services.get_credentials(request.user, name=name)
    context["samples"] = samples_for(
        name=name,
        scoring_uri=str(context["scoring_uri"]),
        auth_mode=endpoint.auth_mode,
        body=request_of(request.user, endpoint),
    )
    return page(request, "pages/endpoints/consume.html", context, fragment="keys")


@require_http_methods(["GET", "POST"])
def regenerate_key(request: Request, name: str, key_type: str) -> HttpResponse:
    if key_type not in OTHER:
        raise Http404
    other = OTHER[key_type]
    require(request.user, actions.REGENERATE_KEYS, name)
    selectors.get_endpoint(request.user, name)
    back = reverse("endpoints:consume", args=[name])
    if request.method == "POST":
        services.regenerate_key(request.user, name=name, key_type=OTHER[other])
        return go(request, back)
    context = {
        "title": f"Regenerate the {key_type} key of {name}?",
        "intro": f"Callers that use the {key_type} key are refused within a second. "
        f"Move them to the {other} key first; it stays as it is.",
        "submit": "Regenerate",
        "danger": True,
        "back": back,
    }
    return page(request, "pages/form.html", context, fragment="form")
