"""An endpoint or a deployment edited as its document: every mistake with its line, what will change, then applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import yaml
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from endpoints import selectors, services
from endpoints.models import OnlineEndpoint
from endpoints.services.planning import Planned, plan_deployment_change, plan_endpoint_change
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.errors import Conflict, Invalid, OutOfQuota
from endpoints.spec.schema import to_json
from endpoints.spec.yaml_reader import read_yaml
from studio.access import actions
from studio.access.policy import require
from studio.forms.documents import YamlForm
from studio.forms.fields import add_domain_errors
from studio.pages.answers import Request, form_page, go
from studio.pages.deployments import document_text

Document = OnlineEndpointDocument | OnlineDeploymentDocument

ENDPOINT_KEYS = (
    "description",
    "tags",
    "properties",
    "auth_mode",
    "traffic",
    "mirror_traffic",
    "comparison",
    "public_network_access",
    "identity",
    "gateway_settings",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Edited:
    """What is edited. state: differs as soon as somebody else has changed it.

    plan, apply: take what was read; the plan is refused wherever applying would be.
    """

    title: str
    text: str
    state: str
    back: str
    read: Callable[[str], Document]
    plan: Callable[[Document], Planned]
    apply: Callable[[Document], object]


@require_http_methods(["GET", "POST"])
def endpoint_edit_yaml(request: Request, name: str) -> HttpResponse:
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)

    def values(document: Document) -> dict[str, object]:
        return {key: to_json(getattr(document, key)) for key in ("name", *ENDPOINT_KEYS)}

    def apply(document: Document) -> None:
        services.update_endpoint(request.user, name=name, changes=values(document))

    edited = Edited(
        title=f"Edit {name} as YAML",
        text=_endpoint_text(endpoint),
        state=f"{endpoint.pk}/{endpoint.generation}",
        back=reverse("endpoints:detail", args=[name]),
        read=lambda text: OnlineEndpointDocument.read(read_yaml(text)),
        plan=lambda document: plan_endpoint_change(request.user, name=name, changes=values(document)),
        apply=apply,
    )
    return _edit(request, edited)


@require_http_methods(["GET", "POST"])
def deployment_edit_yaml(request: Request, endpoint: str, name: str) -> HttpResponse:
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    deployment = selectors.get_deployment(request.user, endpoint, name)

    def plan(document: Document) -> Planned:
        assert isinstance(document, OnlineDeploymentDocument)  # noqa: S101  read() made it
        return plan_deployment_change(request.user, endpoint=endpoint, name=name, document=document)

    def apply(document: Document) -> None:
        assert isinstance(document, OnlineDeploymentDocument)  # noqa: S101  read() made it
        services.update_deployment(request.user, endpoint=endpoint, name=name, document=document)

    edited = Edited(
        title=f"Edit {endpoint} / {name} as YAML",
        text=document_text(services.document_of(selectors.revision_now(deployment))),
        state=f"{deployment.pk}/{deployment.generation}",
        back=reverse("deployments:detail", args=[endpoint, name]),
        read=lambda text: OnlineDeploymentDocument.read(read_yaml(text)),
        plan=plan,
        apply=apply,
    )
    return _edit(request, edited)


def _edit(request: Request, edited: Edited) -> HttpResponse:
    """Review, then apply; a text that was changed after its review is reviewed again."""
    form = YamlForm(request.POST) if request.method == "POST" else YamlForm(initial={"text": edited.text})
    context: dict[str, object] = {"title": edited.title, "submit": "Review", "back": edited.back}
    context["intro"] = "What is left out returns to its default. Nothing changes before you have seen what will."
    if form.is_valid():
        try:
            wanted = edited.read(form.cleaned_data["text"])
            plan = edited.plan(wanted)
            if plan.action != "nothing" and form.is_reviewed(edited.state):
                edited.apply(wanted)
                messages.success(request, f"Changed: {', '.join(change.field for change in plan.changes)}.")
                return go(request, edited.back)
        except (Invalid, Conflict, OutOfQuota) as error:
            add_domain_errors(form, error, names={"text": ""})
        else:
            if plan.action == "nothing":
                context["points"] = ["This is what it is already: nothing would change."]
            else:
                form.set_reviewed(edited.state)
                context |= {"submit": "Apply", "intro": "This will change:", "plan": plan}
    return form_page(request, "pages/form.html", context, form=form)


def _endpoint_text(endpoint: OnlineEndpoint) -> str:
    values = {key: getattr(endpoint, key) for key in ENDPOINT_KEYS}
    given = {key: value for key, value in values.items() if value not in (None, "", {}, [])}
    return yaml.safe_dump({"name": endpoint.name, **given}, sort_keys=False, allow_unicode=True)
