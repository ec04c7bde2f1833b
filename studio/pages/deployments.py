"""One deployment: what it is made of, its instances and why they died, its document, its count, retry and delete."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import OnlineDeployment
from endpoints.spec.errors import Conflict, Invalid, OutOfQuota
from endpoints.spec.states import OperationState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require
from studio.forms.deployments import DeploymentGatewayForm, ScaleForm
from studio.forms.fields import add_domain_errors
from studio.pages.answers import Request, form_page, go, page, polled
from studio.pages.endpoints import BUSY, instances_text
from studio.pages.operations import may_cancel

ENDED_SHOWN = 10
LEADING_KEYS = (
    "name",
    "endpoint_name",
    "model",
    "code_configuration",
    "environment",
    "instance_type",
    "instance_count",
)


def frame(user: User, endpoint: str, name: str, tab: str) -> dict[str, object]:
    """What the head and the tabs of every page of one deployment need."""
    deployment = selectors.get_deployment(user, endpoint, name)
    grants = grants_of(user)
    may = {
        "write": actions.DEPLOYMENTS_WRITE,
        "delete": actions.DEPLOYMENTS_DELETE,
        "read_logs": actions.LOGS_READ,
    }
    return {
        "deployment": deployment,
        "endpoint": deployment.endpoint,
        "revision": selectors.shown_revision(user, deployment),
        "tab": tab,
        "traffic_percent": deployment.endpoint.traffic.get(name, 0),
        "may": {word: grants.allows(action, endpoint) for word, action in may.items()},
    }


@require_GET
def deployment_detail(request: Request, endpoint: str, name: str) -> HttpResponse:
    user = request.user
    context = frame(user, endpoint, name, "overview")
    deployment = selectors.get_deployment(user, endpoint, name)
    operation = selectors.operations_for(user, endpoint, name).first()
    instances = selectors.instances_of(user, deployment)
    gone = selectors.instances_of(user, deployment, include_ended=True).filter(ended_at__isnull=False)
    is_running = operation is not None and operation.state == OperationState.RUNNING
    context |= {
        "instances": list(instances),
        "ended": list(gone.order_by("-ended_at")[:ENDED_SHOWN]),
        "operation": operation,
        "may_cancel": may_cancel(user, operation),
        "loan": selectors.loan_of(deployment),
        "may_extend": grants_of(user).allows(actions.QUOTA_WRITE),
    }
    is_settled = deployment.provisioning_state not in BUSY and not is_running
    return polled(request, "pages/deployments/detail.html", context, fragment="live", is_settled=is_settled)


@require_GET
def deployment_yaml(request: Request, endpoint: str, name: str) -> HttpResponse:
    """The document that makes this deployment again."""
    context = frame(request.user, endpoint, name, "yaml")
    deployment = selectors.get_deployment(request.user, endpoint, name)
    context["text"] = document_text(services.document_of(selectors.shown_revision(request.user, deployment)))
    return page(request, "pages/deployments/yaml.html", context)


def document_text(document: Mapping[str, object]) -> str:
    """The document as YAML, what a reader looks for first on top and what says nothing left out."""
    first = {key: document[key] for key in LEADING_KEYS if document.get(key)}
    rest = {key: value for key, value in document.items() if key not in first and value not in (None, "", {}, [])}
    return yaml.safe_dump({**first, **rest}, sort_keys=False, allow_unicode=True)


@require_http_methods(["GET", "POST"])
def deployment_scale(request: Request, endpoint: str, name: str) -> HttpResponse:
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    back = reverse("deployments:detail", args=[endpoint, name])
    form = ScaleForm(request.POST or None, initial={"instance_count": deployment.instance_count})
    if form.is_valid():
        try:
            services.update_deployment(request.user, endpoint=endpoint, name=name, document=form.cleaned_data)
        except (Invalid, Conflict, OutOfQuota) as error:
            add_domain_errors(form, error)
        else:
            return go(request, back)
    context = {
        "title": f"Scale {name}",
        "intro": f"{deployment.instance_type}, {deployment.instance_count} now. Those that stay go on answering.",
        "submit": "Scale",
        "back": back,
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def deployment_settings(request: Request, endpoint: str, name: str) -> HttpResponse:
    """How the gateway treats requests of this deployment."""
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    back = reverse("deployments:detail", args=[endpoint, name])
    initial = {"retry": deployment.gateway_settings.get("retry", True)}
    form = DeploymentGatewayForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        changes = {"gateway_settings": form.cleaned_data}
        services.update_deployment(request.user, endpoint=endpoint, name=name, document=changes)
        return go(request, back)
    context = {
        "title": f"Gateway settings of {name}",
        "intro": "The gateway follows within a second; no instance restarts.",
        "submit": "Save",
        "back": back,
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_POST
def deployment_retry(request: Request, endpoint: str, name: str) -> HttpResponse:
    services.retry_deployment(request.user, endpoint=endpoint, name=name)
    return go(request, reverse("deployments:detail", args=[endpoint, name]))


@require_http_methods(["GET", "POST"])
def deployment_delete(request: Request, endpoint: str, name: str) -> HttpResponse:
    require(request.user, actions.DEPLOYMENTS_DELETE, endpoint)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    percent = deployment.endpoint.traffic.get(name, 0)
    refusal = ""
    if request.method == "POST":
        try:
            services.delete_deployment(request.user, endpoint=endpoint, name=name)
        except Conflict as error:
            refusal = error.message
        else:
            messages.success(request, f"Deleting {endpoint} / {name}.")
            return go(request, reverse("endpoints:detail", args=[endpoint]))
    elif percent:
        refusal = (
            f"{name} answers {percent} % of the live requests, so it cannot be deleted. "
            "Give its share to another deployment first."
        )
    context = {
        "title": f"Delete {endpoint} / {name}?",
        "intro": "This cannot be taken back.",
        "points": [_losses(deployment)],
        "refusal": refusal,
        "is_impossible": bool(percent),
        "submit": "Delete the deployment",
        "danger": True,
        "back": reverse("deployments:detail", args=[endpoint, name]),
    }
    return page(request, "pages/form.html", context, fragment="form", status=409 if request.method == "POST" else 200)


def _losses(deployment: OnlineDeployment) -> str:
    count = instances_text(deployment.instance_count)
    return f"{count} will answer what is under way and stop. Logs are kept; model and environment stay registered."
