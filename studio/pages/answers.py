"""The few ways a page answers: a template or its fragment, a form with its errors, a way on to another page.

One URL, one template, two sizes of answer: `page.html` for a visit, `page.html#partial` where htmx asks for a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_htmx.http import HttpResponseClientRedirect

from studio.access.models import User

# htmx ends a polling element that is answered with this (its own invention, not a registered code).
STOP_POLLING = 286


class Request(HttpRequest):
    """A request that came through `SignInRequired`: there is a person behind it. For annotations only."""

    user: User


async def signed_in(request: HttpRequest) -> User:
    """The person behind a request, for a view on the event loop."""
    user = await request.auser()
    if not isinstance(user, User):
        raise PermissionDenied
    return user


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx (or a dialog) asks for a part, not for the page; going back in history wants the page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def page(
    request: HttpRequest, template: str, context: Mapping[str, object], *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """The whole page, or only its partial `fragment` where a part was asked for."""
    name = f"{template}#{fragment}" if fragment and wants_fragment(request) else template
    return render(request, name, dict(context), status=status)


def form_page(
    request: HttpRequest, template: str, context: Mapping[str, object], *, form: BaseForm, fragment: str = "form"
) -> HttpResponse:
    """A page with `form`; 422 when what was sent is wrong."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound and form.errors else HTTPStatus.OK
    return page(request, template, {**context, "form": form}, fragment=fragment, status=status)


def polled(
    request: HttpRequest, template: str, context: Mapping[str, object], *, fragment: str, is_settled: bool
) -> HttpResponse:
    """A page with a part that asks for itself again and again until `is_settled`."""
    answer = page(request, template, {**context, "is_settled": is_settled}, fragment=fragment)
    if is_settled and wants_fragment(request):
        answer.status_code = STOP_POLLING
    return answer


def go(request: HttpRequest, to: str) -> HttpResponse:
    """On to another page after a change."""
    return HttpResponseClientRedirect(to) if wants_fragment(request) else redirect(to)
