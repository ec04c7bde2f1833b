"""Accounts: inviting, shutting out, letting in again, and the page an invitation opens."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from endpoints.spec.errors import Conflict, Invalid
from studio.access import actions
from studio.access import people as accounts
from studio.access.policy import require
from studio.forms.access import ChosenPasswordForm, InviteForm
from studio.forms.fields import add_domain_errors
from studio.pages.access import BACK
from studio.pages.answers import Request, form_page, go, page


@never_cache
@require_http_methods(["GET", "POST"])
def person_invite(request: Request) -> HttpResponse:
    """The answer to the POST is the only place where the link ever stands."""
    require(request.user, actions.ROLES_WRITE)
    form = InviteForm(request.POST or None)
    if form.is_valid():
        try:
            person, secret = accounts.invite(request.user, **form.cleaned_data)
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error)
        else:
            return _link(request, person.username, secret) if secret else go(request, reverse(BACK))
    context = {
        "title": "Invite a person",
        "intro": "They get an account without any role; give them one afterwards.",
        "submit": "Invite",
        "back": reverse(BACK),
    }
    return form_page(request, "pages/form.html", context, form=form)


@never_cache
@require_POST
def person_invite_again(request: Request, username: str) -> HttpResponse:
    return _link(request, username, accounts.renew_invitation(request.user, username=username))


def _link(request: HttpRequest, username: str, secret: str) -> HttpResponse:
    url = request.build_absolute_uri(reverse("access:invitation", args=[secret]))
    context = {"username": username, "url": url, "days": accounts.INVITATION_LASTS.days}
    return page(request, "pages/access/invited.html", context, fragment="invited")


@require_http_methods(["GET", "POST"])
def person_deactivate(request: Request, username: str) -> HttpResponse:
    require(request.user, actions.ROLES_WRITE)
    person = accounts.get_person(request.user, username)
    refusal = ""
    if request.method == "POST":
        try:
            accounts.deactivate(request.user, username=username)
        except Conflict as error:
            refusal = error.message
        else:
            messages.success(request, f"{username} is shut out.")
            return go(request, reverse(BACK))
    context = {
        "title": f"Deactivate {person.username}?",
        "intro": "Pages and API tokens stop working for them at once. What they made stays, and so do their roles.",
        "refusal": refusal,
        "submit": "Deactivate",
        "danger": True,
        "back": reverse(BACK),
    }
    return page(request, "pages/form.html", context, fragment="form", status=409 if refusal else 200)


@require_POST
def person_activate(request: Request, username: str) -> HttpResponse:
    accounts.reactivate(request.user, username=username)
    messages.success(request, f"{username} may sign in again.")
    return go(request, reverse(BACK))


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Whoever was invited chooses a password, and is signed in."""
    person = accounts.invited_by(secret)
    form = ChosenPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            accounts.accept_invitation(secret, password=form.cleaned_data["password"])
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            person.refresh_from_db()
            login(request, person, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("home")
    status = 422 if form.is_bound else 200
    return render(request, "pages/access/invitation.html", {"person": person, "form": form}, status=status)
