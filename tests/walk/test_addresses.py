"""Every address with every method, by every role and by nobody: found by the resolver, judged by its rule."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from endpoints.models import Operation
from studio.access.models import AuditRecord
from studio.access.policy import grants_of
from tests.walk.addresses import Address, all_addresses
from tests.walk.rules import MISSING, PUBLIC, RULES
from tests.walk.world import ROLES, Need, World, holds, taken_back

REFUSED = (401, 403, 404)
NOT_SERVED = 405


@pytest.fixture(autouse=True)
def no_gateway(settings: Any) -> None:
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"


def rule_of(address: Address) -> tuple[Need, ...] | None:
    return RULES.get(address.key, RULES.get(address.name))


def test_no_address_is_without_a_rule() -> None:
    missing = [address.key for address in all_addresses() if address.area == "api" and rule_of(address) is None]
    names = {key.partition(" ")[0] for key in RULES}
    assert not missing
    assert {address.name for address in all_addresses()} == names


class Walk:
    """Calls addresses as one walker; nothing it does lasts, not even a sign-out."""

    def __init__(self, world: World, role: str) -> None:
        self.world, self.walker = world, world.walker(role)
        self.grants = grants_of(self.walker)
        self.client = Client(raise_request_exception=False)
        self.client.force_login(self.walker)
        self._cookie = self.client.cookies["sessionid"].value

    def status(self, address: Address) -> int:
        self.client.cookies["sessionid"] = self._cookie
        with taken_back():
            answer = address.ask(self.client, self.world, self.walker)
            answer.close()
        return int(answer.status_code)

    def complaint(self, address: Address) -> str:
        """What is wrong with the answer, "" where it is as the rule says."""
        status, rule = self.status(address), rule_of(address)
        if status == NOT_SERVED:
            return ""
        if rule is None:
            return f"{address.key} has no rule and answers {status}"
        is_let_in = status not in REFUSED or (status == 404 and address.name in MISSING)
        if status >= 500 and status != 503:
            return f"{address.key} broke: {status}"
        if is_let_in != all(holds(self.grants, need) for need in rule) and address.name not in MISSING:
            return f"{address.key} answers {status}"
        return ""


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_every_address_keeps_its_rule(role: str, db: None) -> None:
    walk = Walk(World.make(), role)
    before = Operation.objects.count(), AuditRecord.objects.exclude(action="SignIn").count()
    wrong = [complaint for address in all_addresses() if (complaint := walk.complaint(address))]
    assert not wrong, "\n".join([role, *wrong])
    assert (Operation.objects.count(), AuditRecord.objects.exclude(action="SignIn").count()) == before


def test_nobody_is_asked_who_they_are_everywhere(db: None) -> None:
    world = World.make()
    world.settle(world.owner)
    wrong = []
    for address in all_addresses():
        if address.name in PUBLIC:
            continue
        with taken_back():
            answer = address.ask(Client(raise_request_exception=False), world, world.owner)
        is_sent_away = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in/?next=")
        if not (is_sent_away or answer.status_code in (401, NOT_SERVED)):
            wrong.append(f"{address.key} answers {answer.status_code}")
    assert not wrong, "\n".join(wrong)
