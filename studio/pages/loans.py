"""Loans of the shared pool: started, extended, repaid; and starting again what was stopped at a loan's end."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from endpoints import selectors, services
from endpoints.spec.errors import Conflict, Invalid, NotFound, OutOfQuota
from studio.access import actions
from studio.access.policy import require
from studio.forms.fields import add_domain_errors
from studio.forms.loans import ExtendForm, StartForm
from studio.pages.answers import Request, form_page, go, page


@require_http_methods(["GET", "POST"])
def start(request: Request, endpoint: str, name: str) -> HttpResponse:
    """Run a stopped deployment again."""
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    back = reverse("deployments:detail", args=[endpoint, name])
    form = StartForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.start_deployment(request.user, endpoint=endpoint, name=name, **form.cleaned_data)
        except (Invalid, Conflict, OutOfQuota) as error:
            add_domain_errors(form, error)
        else:
            return go(request, back)
    longest = selectors.setting("pool_longest_loan_h")
    context = {
        "title": f"Start {endpoint} / {name}",
        "intro": f"{deployment.instance_count} x {deployment.instance_type}, as it was when it stopped.",
        "points": [f"The shared pool lends for up to {longest} hours; at the end the deployment is stopped again."],
        "submit": "Start",
        "back": back,
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def extend(request: Request, endpoint: str, name: str) -> HttpResponse:
    """Let a loan end later."""
    require(request.user, actions.QUOTA_WRITE)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    loan = selectors.loan_of(deployment)
    back = reverse("deployments:detail", args=[endpoint, name])
    form = ExtendForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.extend_loan(request.user, endpoint=endpoint, name=name, **form.cleaned_data)
        except (Invalid, Conflict, NotFound) as error:
            add_domain_errors(form, error)
        else:
            messages.success(request, "The loan is extended.")
            return go(request, back)
    context = {
        "title": f"Extend the loan of {endpoint} / {name}",
        "intro": f"It has {loan.cores} {loan.family} cores until {loan.ends_at:%Y-%m-%d %H:%M} UTC." if loan else "",
        "submit": "Extend",
        "back": back,
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def repay(request: Request, endpoint: str, name: str) -> HttpResponse:
    """Move a deployment from its loan to its family's limit."""
    require(request.user, actions.DEPLOYMENTS_WRITE, endpoint)
    selectors.get_deployment(request.user, endpoint, name)
    back, refusal = reverse("deployments:detail", args=[endpoint, name]), ""
    if request.method == "POST":
        try:
            services.repay_loan(request.user, endpoint=endpoint, name=name)
        except (Conflict, NotFound, OutOfQuota) as error:
            refusal = error.message
        else:
            messages.success(request, f"{name} stands on its family's limit; the loan is given back.")
            return go(request, back)
    context = {
        "title": f"Move {endpoint} / {name} to its family's limit?",
        "intro": "It keeps running; no instance restarts. The borrowed cores go back to the shared pool.",
        "refusal": refusal,
        "submit": "Move it",
        "back": back,
    }
    return page(request, "pages/form.html", context, fragment="form", status=409 if refusal else 200)
