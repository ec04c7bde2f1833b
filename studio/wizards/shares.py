"""A split as the bar draws it: each deployment in its colour, the one to come in the next."""

from __future__ import annotations

from collections.abc import Mapping

from endpoints import selectors
from endpoints.spec.errors import SlipwayError
from studio.access.models import User
from studio.templatetags.look import Share, series_colour


def shares_of(user: User, endpoint: str, split: Mapping[str, int]) -> list[Share]:
    """The shares of `split` on an endpoint that may not exist yet."""
    try:
        colours = dict(selectors.deployments_of(user, endpoint).values_list("name", "colour"))
    except SlipwayError:
        colours = {}
    upcoming = max(colours.values(), default=-1) + 1
    return [Share(name, percent, series_colour(name, colours.get(name, upcoming))) for name, percent in split.items()]
