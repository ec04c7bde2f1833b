"""Errors as pages: a domain error becomes its status and its sentence, anything else a 500 with an id to ask about.

No stack trace reaches a person; it is logged under the id they are shown.
"""

from __future__ import annotations

import logging
import uuid

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from endpoints.spec import errors
from studio.access.doors import note_refusal
from studio.pages.answers import wants_fragment

logger = logging.getLogger(__name__)

# status, title. Looked up along the error's classes, so a new kind of error has its parent's page.
PAGES: dict[type[errors.SlipwayError], tuple[int, str]] = {
    errors.Invalid: (422, "That does not fit"),
    errors.NotFound: (404, "Not found"),
    errors.Forbidden: (403, "Not allowed"),
    errors.Conflict: (409, "Not now"),
    errors.OutOfQuota: (409, "Not enough quota"),
    errors.LimitExceeded: (413, "Too large"),
    errors.Unavailable: (503, "Out of reach"),
    errors.SlipwayError: (400, "That did not work"),
}
PASSED_ON = (Http404, PermissionDenied, SuspiciousOperation, RequestDataTooBig)


class DomainErrors(MiddlewareMixin):
    """Turns what a page raised into the page that says so. The REST API answers for itself."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if request.path.startswith("/api/") or isinstance(exception, PASSED_ON):
            return None
        if isinstance(exception, errors.SlipwayError):
            return domain_error(request, exception)
        return crash(request, exception)


def domain_error(request: HttpRequest, error: errors.SlipwayError) -> HttpResponse:
    """The page (or the note within a page) for a domain error."""
    if isinstance(error, errors.Forbidden):
        note_refusal(getattr(request, "user", None), error, target=f"{request.method} {request.path}")
    status, title = next(PAGES[kind] for kind in type(error).__mro__ if kind in PAGES)
    return _answer(request, status, title, error.message, details=error.details)


def crash(request: HttpRequest, exception: BaseException | None) -> HttpResponse:
    """A 500 page with an id; the log has the trace under the same id."""
    error_id = uuid.uuid4().hex[:12]
    logger.error("error %s at %s %s", error_id, request.method, request.path, exc_info=exception)
    message = "This is a fault of the studio, not of what you did. The studio's log has the details under this id."
    return _answer(request, 500, "Something broke", message, error_id=error_id)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, 404, "Not found", "There is no page at this address. It may have been deleted or renamed.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, 403, "Not allowed", str(exception) or "You may not do this.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, 400, "That did not work", "The request could not be understood.")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's last resort: something broke outside a page's own view."""
    import sys

    return crash(request, sys.exc_info()[1])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    message = "The form was too old or came from another site. Reload the page and send it again."
    return _answer(request, 403, "Please send it again", message)


def _answer(
    request: HttpRequest,
    status: int,
    title: str,
    message: str,
    *,
    details: tuple[errors.FieldError, ...] = (),
    error_id: str = "",
) -> HttpResponse:
    """Within the shell for those signed in, alone for others; a note where a fragment was asked for."""
    user = getattr(request, "user", None)
    frame = "shell.html" if user is not None and user.is_authenticated and status < 500 else "base.html"
    context = {
        "frame": frame,
        "status": status,
        "title": title,
        "message": message,
        "details": details,
        "error_id": error_id,
    }
    template = "pages/error.html#note" if wants_fragment(request) else "pages/error.html"
    return render(request, template, context, status=status)
