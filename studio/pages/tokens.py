"""A person's own API tokens: made, shown once, revoked."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints.spec.errors import Invalid
from studio.access import tokens
from studio.forms.fields import add_domain_errors
from studio.forms.tokens import TokenForm
from studio.pages.answers import Request, form_page, go, page


@require_GET
def token_list(request: Request) -> HttpResponse:
    return page(request, "pages/tokens/list.html", {"tokens": tokens.tokens_of(request.user)})


@never_cache
@require_http_methods(["GET", "POST"])
def token_create(request: Request) -> HttpResponse:
    """The answer to the POST is the only place where the secret ever stands."""
    form = TokenForm(request.POST or None)
    if form.is_valid():
        try:
            row, secret = tokens.create_token(request.user, name=form.cleaned_data["name"], lifetime=form.lifetime())
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            return page(request, "pages/tokens/made.html", {"token": row, "secret": secret}, fragment="made")
    context = {
        "title": "Create an API token",
        "intro": "For the command line and for programs. It may do what you may do.",
        "submit": "Create",
        "back": reverse("tokens:list"),
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_POST
def token_revoke(request: Request, token_key: str) -> HttpResponse:
    tokens.revoke_token(request.user, token_key=token_key)
    messages.success(request, "Revoked. Programs that use it are refused from now on.")
    return go(request, reverse("tokens:list"))
