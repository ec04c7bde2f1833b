"""Every page: its 200, its fragment, its refusal to strangers, its headers, and that it brings no script or style."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from django.urls import reverse

from endpoints.models import OnlineEndpoint, Operation
from studio.access.models import User
from tests.pages.conftest import visiting


@dataclass(frozen=True)
class Page:
    """name, args: of the URL. refused: a stranger's status. fragment: a word of it, "" where it has none."""

    name: str
    args: tuple[str, ...] = ()
    refused: int = 403
    fragment: str = ""

    @property
    def url(self) -> str:
        return reverse(self.name, args=self.args)


RISK = ("diabetes-risk",)
BLUE = ("diabetes-risk", "blue")
ONE = ("diabetes", "1")
PAGES = [
    Page("home", refused=200, fragment="data-fragment"),
    Page("search", refused=200, fragment="data-fragment"),
    Page("endpoints:list", fragment="data-fragment"),
    Page("endpoints:create", fragment="data-fragment"),
    Page("endpoints:detail", RISK, 404, "data-fragment"),
    Page("endpoints:edit", RISK, 403, "data-fragment"),
    Page("endpoints:edit-yaml", RISK, 403, "data-fragment"),
    Page("endpoints:settings", RISK, 403, "data-fragment"),
    Page("endpoints:delete", RISK, 403, "data-fragment"),
    Page("endpoints:logs", RISK, 404),
    Page("endpoints:metrics", RISK, 404, "data-fragment"),
    Page("endpoints:rollout", RISK, 404, "data-fragment"),
    Page("endpoints:compare", RISK, 404, "data-fragment"),
    Page("endpoints:compare-settings", RISK, 403, "data-fragment"),
    Page("endpoints:compare-reset", RISK, 403, "data-fragment"),
    Page("endpoints:consume", RISK, 404),
    Page("endpoints:activity", RISK, 404),
    Page("endpoints:regenerate-key", (*RISK, "primary"), 403, "data-fragment"),
    Page("deployments:detail", BLUE, 404, "data-fragment"),
    Page("deployments:detail", ("diabetes-risk", "broken"), 404, "data-fragment"),
    Page("deployments:yaml", BLUE, 404),
    Page("deployments:edit-yaml", BLUE, 403, "data-fragment"),
    Page("deployments:revisions", BLUE, 404),
    Page("deployments:roll-back", (*BLUE, "1"), 403, "data-fragment"),
    Page("deployments:settings", BLUE, 403, "data-fragment"),
    Page("deployments:scale", BLUE, 403, "data-fragment"),
    Page("deployments:scaling", BLUE, 404, "data-fragment"),
    Page("deployments:scaling-limits", BLUE, 403, "data-fragment"),
    Page("deployments:scaling-rule", BLUE, 403, "data-fragment"),
    Page("deployments:scaling-schedule", BLUE, 403, "data-fragment"),
    Page("deployments:scaling-remove", BLUE, 403, "data-fragment"),
    Page("deployments:start", BLUE, 403, "data-fragment"),
    Page("deployments:extend", BLUE, 403, "data-fragment"),
    Page("deployments:repay", BLUE, 403, "data-fragment"),
    Page("deployments:delete", BLUE, 403, "data-fragment"),
    Page("deployments:logs", BLUE, 404),
    Page("deployments:metrics", BLUE, 404, "data-fragment"),
    Page("models:list", fragment="data-fragment"),
    Page("models:register", fragment="data-fragment"),
    Page("models:detail", ("diabetes",)),
    Page("models:version", ONE),
    Page("models:edit", ONE, 403, "data-fragment"),
    Page("environments:list", fragment="data-fragment"),
    Page("environments:register", fragment="data-fragment"),
    Page("environments:detail", ("sklearn",), 403, "data-fragment"),
    Page("environments:version", ("broken", "1"), 403, "data-fragment"),
    Page("environments:edit", ("sklearn", "1"), 403, "data-fragment"),
    Page("operations:list", fragment="data-fragment"),
    Page("operations:audit", fragment="data-fragment"),
    Page("access:overview"),
    Page("access:why", fragment="data-fragment"),
    Page("access:invite", fragment="data-fragment"),
    Page("access:deactivate", ("olivia",), fragment="data-fragment"),
    Page("access:group-create", fragment="data-fragment"),
    Page("access:assign", fragment="data-fragment"),
    Page("access:role-create", fragment="data-fragment"),
    Page("quota"),
    Page("quota:what-if", fragment="data-fragment"),
    Page("quota:history"),
    Page("quota:request", fragment="data-fragment"),
    Page("quota:types", fragment="data-fragment"),
    Page("quota:type-add", fragment="data-fragment"),
    Page("quota:type-edit", ("standard_ds3_v2",), fragment="data-fragment"),
    Page("settings"),
    Page("settings:history"),
    Page("tokens:list", refused=200),
    Page("tokens:create", refused=200, fragment="data-fragment"),
]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.name}-{'-'.join(page.args)}")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|\son[a-z]+=|javascript:", re.IGNORECASE)


@each_page
def test_an_owner_sees_the_page(page: Page, olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(page.url)
    assert answer.status_code == 200
    assert 'class="shell"' in answer.text


@each_page
def test_a_stranger_is_refused(page: Page, stefan: User, risk: OnlineEndpoint) -> None:
    answer = visiting(stefan).get(page.url)
    assert answer.status_code == page.refused
    if page.refused != 200:
        assert "Ridge on ten features" not in answer.text
        assert "shadow-xgb" not in answer.text


@each_page
def test_somebody_not_signed_in_is_sent_to_sign_in(page: Page, risk: OnlineEndpoint) -> None:
    answer = visiting(None).get(page.url)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/sign-in/?next={page.url}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.fragment], ids=lambda page: page.url)
def test_htmx_gets_the_fragment_alone(page: Page, olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia, **{"HX-Request": "true"}).get(page.url)
    assert answer.status_code in {200, 286}
    assert page.fragment in answer.text
    assert "<html" not in answer.text


@each_page
def test_a_page_brings_no_script_or_style_of_its_own(page: Page, olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(page.url)
    assert not INLINE.findall(answer.text)
    assert "{%" not in answer.text  # a tag written over two lines is none
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy


def test_an_operation_has_a_page(olivia: User, risk: OnlineEndpoint) -> None:
    for operation in Operation.objects.all():
        answer = visiting(olivia).get(reverse("operations:detail", args=[operation.pk]))
        assert answer.status_code == 200
        assert operation.summary in answer.text


def test_an_operation_is_hidden_from_strangers(stefan: User, risk: OnlineEndpoint) -> None:
    operation = Operation.objects.all()[0]
    answer = visiting(stefan).get(reverse("operations:detail", args=[operation.pk]))
    assert answer.status_code == 404


def test_a_reader_is_offered_nothing_they_may_not_do(rafael: User, risk: OnlineEndpoint) -> None:
    answer = visiting(rafael).get(reverse("endpoints:detail", args=["diabetes-risk"]))
    assert answer.status_code == 200
    for name in ("endpoints:edit", "endpoints:delete"):
        assert reverse(name, args=["diabetes-risk"]) not in answer.text
    assert ">Apply<" not in answer.text


def test_every_area_says_something_when_it_is_empty(olivia: User) -> None:
    for name in ("home", "endpoints:list", "models:list", "environments:list", "operations:list", "tokens:list"):
        answer = visiting(olivia).get(reverse(name))
        assert answer.status_code == 200
        assert 'class="empty"' in answer.text
        assert "{%" not in answer.text
