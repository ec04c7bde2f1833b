"""What the frame of every page needs: the side bar, the workspace's name and the theme. Asks nothing for fragments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from endpoints import selectors
from studio.access.models import User

THEMES = ("light", "dark")
THEME_COOKIE = "theme"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the side bar. heading: of the group it begins, "" for none. count: None where none is shown."""

    title: str
    url: str
    is_current: bool
    count: int | None = None
    heading: str = ""


def shell(request: HttpRequest) -> dict[str, object]:
    """The context processor. `nav` is worked out only when a template draws the side bar."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "workspace": settings.SLIPWAY_WORKSPACE,
        "theme": theme if theme in THEMES else "",
        "nav": SimpleLazyObject(lambda: list(_entries(request))),
    }


def _entries(request: HttpRequest) -> Iterator[Entry]:
    user = request.user
    if not isinstance(user, User):
        return
    match = request.resolver_match
    here = (match.namespace or match.url_name) if match else ""

    def entry(title: str, name: str, *, heading: str = "", count: Callable[[], int] | None = None) -> Entry:
        area = name.partition(":")[0]
        return Entry(title, reverse(name), here == area, count() if count else None, heading)

    yield entry("Overview", "home")
    yield entry("Online endpoints", "endpoints:list", heading="Serve", count=lambda: selectors.endpoints_for(user).count())
    yield entry("Models", "models:list", heading="Assets", count=lambda: selectors.models_for(user).count())
    yield entry("Environments", "environments:list", count=lambda: selectors.environments_for(user).count())
    yield entry("Quota", "quota", heading="Govern")
    yield entry("Activity", "operations:list")
    yield entry("API tokens", "tokens:list")
    yield entry("API docs", "api-docs")
