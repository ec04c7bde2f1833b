"""Every page at the width of a phone: nothing has to be pushed sideways, and the browser has nothing to complain of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import PASSWORD, ROOT, RunningStudio, free_port, start_studio, studio_environment
from tests.pages.test_every_page import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE, DESK = 390, 1440
# Beside the pages that are asked for one by one, those whose address is not a page's name and its arguments alone.
MORE = [
    "/endpoints/diabetes-risk/test/",
    "/endpoints/diabetes-risk/rollout/?old=blue&new=green",
    "/endpoints/diabetes-risk/deployments/blue/revisions/?from=1&to=1",
    "/search/?q=risk",
    "/search/?q=nothing-is-called-so",
    "/quota/what-if/?instance_type=Standard_DS3_v2&instance_count=4",
    "/deploy/",
    "/deploy/new/",
    "/api/docs/",
]
# What is wider than its place and lets itself be pushed: strips of links may, and nothing else.
PUSHED = """() => [...document.querySelectorAll("main *, dialog[open] *")]
  .filter((one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX))
  .filter((one) => one.scrollWidth > one.clientWidth && !one.matches(".tabs, .steps"))
  .map((one) => `${one.tagName}.${one.className}: ${one.innerText.slice(0, 40)}`)"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """The website alone, before a workspace in which things went well, are under way, and went wrong."""
    home, port = tmp_path_factory.mktemp("filled") / "home", free_port()
    more = {"FILLED_USERNAME": "olivia", "FILLED_PASSWORD": PASSWORD}
    fill = (sys.executable, "-m", "tests.e2e.filled")
    subprocess.run(fill, cwd=ROOT, env={**studio_environment(home, port, 1), **more}, check=True, timeout=120)
    serve = (sys.executable, "-m", "uvicorn", "studio.asgi:application", "--lifespan", "off", "--port", str(port))
    running = start_studio(home, ports=(port, free_port()), command=serve, until="Uvicorn running")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def person(browser: Browser, filled: RunningStudio) -> Iterator[Person]:
    found = Person.at(browser, filled.url, username="olivia")
    yield found
    found.context.close()


@pytest.fixture
def complaints(person: Person) -> Iterator[list[str]]:
    """What the browser says is wrong, from now on."""
    found: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(message.text)

    person.page.on("console", listen)
    yield found
    person.page.remove_listener("console", listen)


def is_too_wide(person: Person) -> bool:
    wide = person.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert isinstance(wide, bool)
    return wide


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("path", [*dict.fromkeys(page.url for page in PAGES), *MORE])
def test_a_page_fits_and_the_browser_is_content(path: str, width: int, person: Person, complaints: list[str]) -> None:
    person.page.set_viewport_size({"width": width, "height": 844})
    person.visit(path)
    expect(person.page.locator("main, .swagger-ui").first).to_be_visible()
    assert not is_too_wide(person)
    assert not person.page.evaluate(PUSHED)
    assert not complaints


def test_an_operation_fits_a_phone(person: Person, complaints: list[str]) -> None:
    person.page.set_viewport_size({"width": PHONE, "height": 844})
    person.visit("/activity/")
    person.page.locator(".stacks a").first.click()
    expect(person.page.get_by_role("heading", name="Steps")).to_be_visible()
    assert not is_too_wide(person)
    assert not complaints


def test_a_heading_that_stacking_hides_is_still_there_for_screen_readers(person: Person) -> None:
    person.page.set_viewport_size({"width": PHONE, "height": 844})
    person.visit("/tokens/")
    assert person.page.get_by_role("columnheader", name="Works until").count() == 1
    [label] = person.page.locator("td[data-label='Works until']").all()
    shown = label.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert shown == '"Works until"'


def test_a_missing_page_fits_a_phone(person: Person) -> None:
    person.page.set_viewport_size({"width": PHONE, "height": 844})
    person.visit("/no-such-page/")
    expect(person.page.get_by_role("heading", name="Not found")).to_be_visible()
    assert not is_too_wide(person)


def test_the_way_in_fits_a_phone(browser: Browser, filled: RunningStudio) -> None:
    stranger = browser.new_page(viewport={"width": PHONE, "height": 844})
    stranger.goto(f"{filled.url}/sign-in/")
    assert stranger.evaluate("document.documentElement.scrollWidth") <= PHONE
