"""Asking for more cores, and deciding about it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from endpoints import selectors, services
from endpoints.spec.errors import Invalid
from studio.access import actions
from studio.access.policy import require
from studio.forms.fields import add_domain_errors
from studio.forms.quota import DecisionForm, MoreCoresForm
from studio.pages.answers import Request, form_page, go


@require_http_methods(["GET", "POST"])
def request_quota(request: Request) -> HttpResponse:
    families = [usage.family for usage in selectors.quota_usage(request.user)]
    form = MoreCoresForm(request.POST or None, families=families, family=request.GET.get("family", ""))
    if form.is_valid():
        try:
            services.request_quota(request.user, **form.cleaned_data)
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            messages.success(request, "Asked. The answer will stand on this page.")
            return go(request, reverse("quota"))
    context = {
        "title": "Ask for more cores",
        "intro": "Whoever may change limits sees the request here and answers it with a note.",
        "submit": "Ask",
        "back": reverse("quota"),
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def approve(request: Request, request_id: int) -> HttpResponse:
    return _decision(request, request_id, is_approved=True)


@require_http_methods(["GET", "POST"])
def decline(request: Request, request_id: int) -> HttpResponse:
    return _decision(request, request_id, is_approved=False)


def _decision(request: Request, request_id: int, *, is_approved: bool) -> HttpResponse:
    require(request.user, actions.QUOTA_WRITE)
    row = selectors.get_quota_request(request.user, request_id)
    form = DecisionForm(request.POST if request.method == "POST" else None)
    decide = services.approve_quota_request if is_approved else services.decline_quota_request
    if form.is_valid():
        try:
            decide(request.user, request_id=request_id, note=form.cleaned_data["note"])
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse("quota"))
    who = row.asked_by.get_username() if row.asked_by else "Somebody"
    context = {
        "title": f"{'Approve' if is_approved else 'Decline'} {row.limit_cores} {row.family} cores?",
        "intro": f"{who} asks for them{f': {row.reason}' if row.reason else '.'}",
        "submit": "Approve" if is_approved else "Decline",
        "danger": not is_approved,
        "back": reverse("quota"),
    }
    return form_page(request, "pages/form.html", context, form=form)
