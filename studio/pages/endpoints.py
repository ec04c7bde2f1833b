"""Online endpoints: the list, one endpoint's overview, making, editing, splitting traffic and deleting."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import OnlineDeployment, OnlineEndpoint
from endpoints.spec.documents import OnlineEndpointDocument
from endpoints.spec.errors import Conflict, Invalid
from endpoints.spec.routes import MAX_PAYLOAD_BYTES
from endpoints.spec.states import OperationState, ProvisioningState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require
from studio.forms.endpoints import EndpointForm, GatewayForm, TrafficForm
from studio.forms.fields import WordsForm, add_domain_errors
from studio.pages.answers import Request, form_page, go, page, polled
from studio.pages.lists import matching, page_of, words_of
from studio.pages.traffic_undo import remember, undo_of

BUSY = (
    ProvisioningState.CREATING,
    ProvisioningState.UPDATING,
    ProvisioningState.SCALING,
    ProvisioningState.DELETING,
)
STATES = ("Succeeded", "Busy", "Failed")


@require_GET
def endpoint_list(request: Request) -> HttpResponse:
    rows = selectors.endpoints_for(request.user)
    words, state = words_of(request), request.GET.get("state", "")
    found = in_state(matching(rows, words, "name", "description", "tags"), state)
    shown = page_of(request, found)
    context = {
        "page": shown,
        "sparks": selectors.sparks(list(shown)),
        "words": words,
        "states": STATES,
        "chosen_state": state,
        "may_write": grants_of(request.user).allows(actions.ENDPOINTS_WRITE),
    }
    return page(request, "pages/endpoints/list.html", context, fragment="rows")


def in_state(rows: QuerySet[OnlineEndpoint], state: str) -> QuerySet[OnlineEndpoint]:
    """Those that have Succeeded, Failed, or are on their way (Busy); all of them for any other word."""
    settled = rows.filter(deletion_requested_at=None, observed_generation__gte=F("generation"))
    if state == "Succeeded":
        return settled.filter(failure__isnull=True)
    if state == "Failed":
        return settled.filter(failure__isnull=False)
    if state == "Busy":
        return rows.exclude(pk__in=settled.values("pk"))
    return rows


def frame(user: User, name: str, tab: str) -> dict[str, object]:
    """What the head and the tabs of every page of one endpoint need, and what `user` may do there."""
    return frame_of(user, selectors.get_endpoint(user, name), tab)


def frame_of(user: User, endpoint: OnlineEndpoint, tab: str) -> dict[str, object]:
    """The same for an endpoint a selector gave."""
    grants = grants_of(user)
    may = {
        "write": actions.ENDPOINTS_WRITE,
        "delete": actions.ENDPOINTS_DELETE,
        "deploy": actions.DEPLOYMENTS_WRITE,
        "see_deployments": actions.DEPLOYMENTS_READ,
        "score": actions.SCORE,
        "read_logs": actions.LOGS_READ,
        "list_keys": actions.LIST_KEYS,
        "regenerate_keys": actions.REGENERATE_KEYS,
    }
    return {
        "endpoint": endpoint,
        "scoring_uri": selectors.scoring_uri(endpoint),
        "tab": tab,
        "may": {word: grants.allows(action, endpoint.name) for word, action in may.items()},
    }


@require_GET
def endpoint_detail(request: Request, name: str) -> HttpResponse:
    endpoint = selectors.get_endpoint(request.user, name)
    context = overview(request.user, endpoint) | {"undo": undo_of(request.session, endpoint)}
    return polled(
        request, "pages/endpoints/detail.html", context, fragment="live", is_settled=bool(context["is_settled"])
    )


def overview(user: User, endpoint: OnlineEndpoint) -> dict[str, object]:
    """Deployments with what they are made of, the operation under way, and whether all of it has come to rest."""
    deployments = list(selectors.deployments_of(user, endpoint))
    operations = selectors.operations_for(user, endpoint.name)
    running = operations.filter(state=OperationState.RUNNING).first()
    latest = running or operations.first()
    is_busy = endpoint.provisioning_state in BUSY or any(one.provisioning_state in BUSY for one in deployments)
    return {
        **frame_of(user, endpoint, "overview"),
        "deployments": deployments,
        "loans": {loan.deployment_id: loan for loan in selectors.loans_of(deployments)},
        "revisions": {one.pk: selectors.revision_now(one) for one in deployments},
        "operation": latest,
        **_figures(endpoint, deployments),
        "traffic_form": TrafficForm(
            deployments=[one.name for one in deployments],
            traffic=endpoint.traffic,
            mirror_traffic=endpoint.mirror_traffic,
        ),
        "max_payload_bytes": MAX_PAYLOAD_BYTES,
        "is_settled": running is None and not is_busy,
    }


def figures_of_now(user: User, name: str) -> dict[str, object]:
    """What the row of figures on the overview needs, alone."""
    endpoint = selectors.get_endpoint(user, name)
    found = _figures(endpoint, list(selectors.deployments_of(user, endpoint)))
    return {"endpoint": endpoint, "is_fragment": True, **found}


def _figures(endpoint: OnlineEndpoint, deployments: list[OnlineDeployment]) -> dict[str, object]:
    """The last five minutes, the shares really seen, and how much of it stands."""
    recent = selectors.recent_figures(endpoint)
    return {
        "recent": recent,
        "seen": [
            {"name": one.name, "percent": recent.share_percent(one.name)}
            for one in deployments
            if one.name in recent.seen or endpoint.traffic.get(one.name)
        ],
        "wanted_instances": sum(one.instance_count for one in deployments),
        "ready_instances": sum(one.ready_instances for one in deployments),
        "live_percent": sum(endpoint.traffic.values()),
        "cost_per_hour": selectors.cost_per_hour(deployments),
    }


@require_http_methods(["GET", "POST"])
def endpoint_create(request: Request) -> HttpResponse:
    require(request.user, actions.ENDPOINTS_WRITE)
    form = EndpointForm(request.POST or None)
    if form.is_valid():
        try:
            document = OnlineEndpointDocument.read(form.cleaned_data)
            services.create_endpoint(request.user, document=document)
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse("endpoints:detail", args=[document.name]))
    context = {
        "title": "Create an endpoint",
        "intro": "An endpoint is a stable URL with its keys. Deployments answer behind it and can be exchanged.",
        "submit": "Create",
        "back": reverse("endpoints:list"),
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def endpoint_edit(request: Request, name: str) -> HttpResponse:
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    back = reverse("endpoints:detail", args=[name])
    form = WordsForm(request.POST or None, initial={"description": endpoint.description, "tags": endpoint.tags})
    if form.is_valid():
        try:
            services.update_endpoint(request.user, name=name, changes=form.cleaned_data)
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error)
        else:
            return go(request, back)
    return form_page(request, "pages/form.html", {"title": f"Edit {name}", "submit": "Save", "back": back}, form=form)


@require_http_methods(["GET", "POST"])
def endpoint_settings(request: Request, name: str) -> HttpResponse:
    """How the gateway treats the endpoint's callers."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    back = reverse("endpoints:detail", args=[name])
    form = GatewayForm(request.POST) if request.method == "POST" else GatewayForm.showing(endpoint.gateway_settings)
    if form.is_valid():
        try:
            services.update_endpoint(request.user, name=name, changes={"gateway_settings": form.settings()})
        except (Invalid, Conflict) as error:
            form.add_refusal(error)
        else:
            return go(request, back)
    context = {
        "title": f"Gateway settings of {name}",
        "intro": "The gateway follows within a second; no instance restarts.",
        "submit": "Save",
        "back": back,
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_POST
def endpoint_traffic(request: Request, name: str) -> HttpResponse:
    """The split as a whole. What is refused stands above the fields, which keep what was typed."""
    endpoint = selectors.get_endpoint(request.user, name)
    context = overview(request.user, endpoint)
    names = [one.name for one in selectors.deployments_of(request.user, endpoint)]
    form = TrafficForm(
        request.POST, deployments=names, traffic=endpoint.traffic, mirror_traffic=endpoint.mirror_traffic
    )
    if form.is_valid():
        try:
            wanted = {"traffic": form.shares(), "mirror_traffic": form.mirrored()}
            services.set_traffic(request.user, name=name, **wanted)
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error, names={"traffic": "", "mirror_traffic": "mirror"})
        else:
            remember(request.session, endpoint, **wanted)
            return go(request, reverse("endpoints:detail", args=[name]))
    context |= {"traffic_form": form}
    return page(request, "pages/endpoints/detail.html", context, fragment="traffic", status=422)


@require_http_methods(["GET", "POST"])
def endpoint_delete(request: Request, name: str) -> HttpResponse:
    require(request.user, actions.ENDPOINTS_DELETE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    if request.method == "POST":
        services.delete_endpoint(request.user, name=name)
        messages.success(request, f"Deleting {name}.")
        return go(request, reverse("endpoints:list"))
    deployments = list(endpoint.deployments.order_by("colour"))
    context = {
        "title": f"Delete {name}?",
        "intro": "This cannot be taken back. The URL stops answering at once and both keys are void.",
        "points": _losses([f"{one.name} ({instances_text(one.instance_count)})" for one in deployments]),
        "submit": "Delete the endpoint",
        "danger": True,
        "back": reverse("endpoints:detail", args=[name]),
    }
    return page(request, "pages/form.html", context, fragment="form")


def instances_text(count: int) -> str:
    return "1 instance" if count == 1 else f"{count} instances"


def _losses(deployments: list[str]) -> list[str]:
    if not deployments:
        return ["It has no deployments."]
    return [f"Deletes with it: {', '.join(deployments)}. Registered models and environments stay."]
