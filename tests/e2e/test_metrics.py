"""A page of figures left open: it follows what happens without a reload, and the theme without a new visit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENDPOINT = "charted"
FIGURES_WITHIN_MS = 40_000


@pytest.fixture(scope="module")
def charted(studio: RunningStudio, sample_folder: Path) -> Iterator[RunningStudio]:
    """An endpoint nobody has called yet."""
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT, cwd=sample_folder)
    blue = ("-n", "blue", "-e", ENDPOINT, "-f", "blue-deployment.yml", "--all-traffic")
    studio.slipway("online-deployment", "create", *blue, cwd=sample_folder)
    yield studio
    studio.slipway("online-endpoint", "delete", "-n", ENDPOINT, "--yes")


def call(studio: RunningStudio, folder: Path, times: int) -> None:
    for _ in range(times):
        studio.slipway("online-endpoint", "invoke", "-n", ENDPOINT, "-r", "sample-request.json", cwd=folder)


def test_an_open_page_follows_requests_and_theme(browser: Browser, charted: RunningStudio, sample_folder: Path) -> None:
    person = Person.at(browser, charted.url)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    person.page.on("console", listen)
    person.visit(f"/endpoints/{ENDPOINT}/")
    expect(person.page.locator("#traffic-seen")).to_have_text("No request in the last 5 minutes.")
    call(charted, sample_folder, 2)
    seen = person.page.locator("#traffic-seen")
    expect(seen).to_have_text("Seen in the last 5 minutes: blue 100 % of 2 requests.", timeout=FIGURES_WITHIN_MS)
    person.visit(f"/endpoints/{ENDPOINT}/metrics/?range=15m")
    bars = person.page.locator("[data-chart='requests'] .barlayer .trace")
    expect(bars).to_have_count(1, timeout=FIGURES_WITHIN_MS)
    colours = set()
    for theme in ("Dark", "Light"):
        person.page.locator("[data-menu] > summary").last.click()
        person.page.get_by_role("button", name=theme, exact=True).click()
        colours.add(bars.locator("path").first.evaluate("one => getComputedStyle(one).fill"))
        person.page.keyboard.press("Escape")
    assert len(colours) == 2
    assert complaints == []
    person.context.close()


def test_the_numbers_are_there_without_scripts(browser: Browser, charted: RunningStudio) -> None:
    person = Person.at(browser, charted.url, has_scripts=False)
    person.visit(f"/endpoints/{ENDPOINT}/metrics/?range=15m")
    person.page.get_by_role("link", name="Table").first.click()
    expect(person.page.get_by_role("heading", name="Requests")).to_be_visible()
    expect(person.page.get_by_role("link", name="CSV")).to_be_visible()
    person.context.close()
