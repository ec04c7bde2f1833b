"""Signing in and out, who must be signed in, and the theme. It decides nothing about what a person may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from studio.forms.sign_in import SignInForm
from studio.pages.answers import wants_fragment
from studio.pages.shell import THEME_COOKIE, THEMES

View = Callable[..., HttpResponseBase]

YEAR_S = 365 * 24 * 3600


class SignInRequired(LoginRequiredMiddleware):
    """Every view wants a signed-in person unless it says otherwise; a fragment sends its whole page to sign in."""

    def process_view(
        self, request: HttpRequest, view_func: View, view_args: Sequence[Any], view_kwargs: Mapping[str, Any]
    ) -> HttpResponseBase | None:
        answer = super().process_view(request, view_func, tuple(view_args), dict(view_kwargs))
        if answer is not None and wants_fragment(request):
            return HttpResponseClientRedirect(reverse(settings.LOGIN_URL))
        return answer


@method_decorator(login_not_required, name="dispatch")
class SignIn(auth.LoginView):
    template_name = "pages/sign_in.html"
    redirect_authenticated_user = True

    authentication_form = SignInForm

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        answer = super().form_invalid(form)  # type: ignore[arg-type]  # the stubs want the exact form class
        answer.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(form, SignInForm) and form.wait_s:
            answer.status_code = HTTPStatus.TOO_MANY_REQUESTS
            answer.headers["Retry-After"] = str(form.wait_s)
        return answer


sign_in = SignIn.as_view()
sign_out = auth.LogoutView.as_view()


@login_not_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or (empty) the system's choice in a cookie of this browser."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    answer = redirect(wanted if is_ours else "home")
    choice = request.POST.get("theme", "")
    if choice in THEMES:
        answer.set_cookie(
            THEME_COOKIE, choice, max_age=YEAR_S, samesite="Lax", secure=request.is_secure(), httponly=True
        )
    else:
        answer.delete_cookie(THEME_COOKIE, samesite="Lax")
    return answer
