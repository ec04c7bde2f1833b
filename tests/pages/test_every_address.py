"""Every address of the pages, asked by a stranger in every way: none does anything, none tells anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, reverse

from endpoints.models import OnlineEndpoint, Operation
from studio.access.models import AuditRecord, User
from studio.pages.urls import urlpatterns
from tests.pages.conftest import visiting

# What everybody may ask who has an account, because it is their own or says nothing.
OWN = {"home", "search", "sign-in", "sign-out", "theme", "tokens:list", "tokens:create"}
OWN |= {"access:invitation", "deploy:drafts"}
WORDS = {
    "endpoint": "diabetes-risk",
    "version": "1",
    "key_type": "primary",
    "token_key": "0123456789abcde",
    "username": "olivia",
    "secret": "guess",
    "pk": "1",
    "request_id": "1",
}
NAMES = {"endpoints": "diabetes-risk", "deployments": "blue", "models": "diabetes", "environments": "sklearn"}
NAMES |= {"quota": "Standard_DS3_v2", "settings": "endpoints", "deploy": "endpoint"}
UUID = "00000000-0000-4000-8000-000000000000"


def part(name: str, word: str, converter: str) -> str:
    if converter == "UUIDConverter":
        return UUID
    if converter == "IntConverter":
        return "1"
    return WORDS.get(word) or NAMES.get(name.partition(":")[0], "x")


def url_of(name: str, pattern: URLPattern) -> str:
    kinds = {word: type(kind).__name__ for word, kind in pattern.pattern.converters.items()}
    return reverse(name, kwargs={word: part(name, word, kind) for word, kind in kinds.items()})


def patterns_of(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns_of(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield f"{space}{pattern.name}", pattern


GUARDED = [(name, pattern) for name, pattern in patterns_of(urlpatterns) if name not in OWN]


@pytest.mark.parametrize(("name", "pattern"), GUARDED, ids=[f"{name}-{i}" for i, (name, _) in enumerate(GUARDED)])
def test_a_stranger_gets_nothing_in_any_way(name: str, pattern: URLPattern, stefan: User, risk: OnlineEndpoint) -> None:
    client, url = visiting(stefan), url_of(name, pattern)
    for answer in (client.get(url), client.post(url, {})):
        assert answer.status_code in {403, 404, 405}, (url, answer.status_code)
    risk.refresh_from_db()
    assert risk.generation == 1 and risk.deletion_requested_at is None
    assert not Operation.objects.filter(created_by=stefan).exists()
    assert not AuditRecord.objects.filter(actor="stefan", is_refused=False).exclude(action="SignIn").exists()
