"""Which door a request came through and from where, for what is recorded of it; and the refusals at those doors."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

from endpoints.spec.errors import Forbidden
from studio.access import audit
from studio.access.models import User


def origin_of(request: HttpRequest) -> audit.Origin:
    """The address the server saw; behind a proxy it is the server that has to be told whom to believe."""
    door = "api" if request.path.startswith("/api/") else "page"
    return audit.Origin(address=str(request.META.get("REMOTE_ADDR", ""))[:45], door=door)


@sync_and_async_middleware
def origins(get_response):  # type: ignore[no-untyped-def]  # Django's middleware is either kind of callable
    """Whatever is recorded while a request is answered came from there."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> object:
            with audit.came_from(origin_of(request)):
                return await get_response(request)

        return asynchronous

    def synchronous(request: HttpRequest) -> object:
        with audit.came_from(origin_of(request)):
            return get_response(request)

    return synchronous


def note_refusal(user: User | AnonymousUser | None, refusal: Forbidden, *, target: str) -> None:
    """Somebody tried what they may not do. `target`: method and path."""
    audit.record(user, refusal.action, target=target[:255], summary=refusal.message, is_refused=True)
