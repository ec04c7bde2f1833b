"""Every address of the studio with every method it answers, found by asking the resolver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from studio.access.models import User
from tests.walk.bodies import body_of
from tests.walk.world import World

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Address:
    """name: with its namespaces. method: in lower case."""

    name: str
    method: str
    pattern: URLPattern

    @property
    def key(self) -> str:
        return f"{self.name} {self.method}"

    @property
    def area(self) -> str:
        return self.name.partition(":")[0]

    def url(self, world: World, user: User | None) -> str:
        words = {word: world.word(user, self._area_of(word), word) for word in self.pattern.pattern.converters}
        return reverse(self.name, kwargs=words)

    def _area_of(self, word: str) -> str:
        """Below /api/v1/ the area is the noun the address begins with."""
        if self.area != "api" or word != "name":
            return self.area
        noun = str(self.pattern.pattern).partition("/")[0]
        return {"instance-types": "quota"}.get(noun, noun)

    def ask(self, client: Client, world: World, user: User | None) -> Any:
        """One call, with what it takes to come past the check of its body."""
        url = self.url(world, user)
        if self.method == "get":
            return client.get(url)
        if self.area == "api":
            return client.generic(self.method.upper(), url, body_of(self.key), content_type="application/json")
        return getattr(client, self.method)(url, {})


def all_addresses() -> list[Address]:
    """Every named address with every method that does not answer 405."""
    return [
        Address(name, method, pattern)
        for name, pattern in _patterns(get_resolver().url_patterns)
        for method in _methods(pattern)
    ]


def _methods(pattern: URLPattern) -> tuple[str, ...]:
    """A REST view's own handlers; a page answers GET or POST, and says so itself."""
    view = getattr(pattern.callback, "view_class", None)
    if view is None:
        return ("get", "post")
    return tuple(method for method in METHODS if hasattr(view, method))


def _patterns(found: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in found:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _patterns(pattern.url_patterns, inner)
        else:
            assert pattern.name, f"{pattern} has no name, so the walk cannot go there"
            yield f"{space}{pattern.name}", pattern
