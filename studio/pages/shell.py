"""What the frame of every page needs: the side bar, the workspace's name and the theme. Asks nothing for fragments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from endpoints import selectors
from endpoints.spec.errors import Forbidden
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of

THEMES = ("light", "dark")
THEME_COOKIE = "theme"
# Pages that belong to another area's line.
BELOW = {"deployments": "endpoints", "deploy": "endpoints"}


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
    """The areas there are and this person may read, with how much is in them."""
    user = request.user
    if not isinstance(user, User):
        return
    match = request.resolver_match
    name = (match.namespace or match.url_name or "") if match else ""
    here = BELOW.get(name, name)
    heading = ""
    for area in _areas(user):
        heading = area.heading or heading
        try:
            count = area.rows().count() if area.rows else None
            url = reverse(area.name)
        except (Forbidden, NoReverseMatch):
            continue
        yield Entry(area.title, url, area.name.partition(":")[0] == here, count, heading)
        heading = ""


@dataclass(frozen=True, slots=True)
class Area:
    """A line of the side bar as planned. name: of its URL. rows: what is counted."""

    title: str
    name: str
    heading: str = ""
    rows: Callable[[], QuerySet[Any]] | None = None


def _areas(user: User) -> tuple[Area, ...]:
    return (
        Area("Overview", "home"),
        Area("Online endpoints", "endpoints:list", "Serve", lambda: selectors.readable_endpoints(user)),
        Area("Models", "models:list", "Assets", lambda: selectors.models_for(user)),
        Area("Environments", "environments:list", rows=lambda: selectors.environments_for(user)),
        Area("Quota", "quota", "Govern"),
        *((Area("Access", "access:overview"),) if grants_of(user).allows(actions.ROLES_READ) else ()),
        Area("Activity", "operations:list"),
        *((Area("Settings", "settings"),) if grants_of(user).allows(actions.QUOTA_READ) else ()),
        Area("API tokens", "tokens:list"),
        Area("API docs", "api-docs"),
    )
