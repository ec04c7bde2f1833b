"""A person rolls out from the browser: by hand with a way back, then guarded, and reads why it was taken back."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio
from tests.e2e.recording import Recorder
from tests.e2e.test_rollout import GOOD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENDPOINT = "walked"
PAGE = f"/endpoints/{ENDPOINT}/rollout/"
# Answers the test panel, which sends something, and fails everybody else, who send {}.
PICKY = """
import json

def init():
    pass

def run(raw_data):
    return len(json.loads(raw_data)["data"])
"""


@pytest.fixture(scope="module")
def recorder(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Callers of an endpoint with blue at 100 %, and green beside it."""
    folder = tmp_path_factory.mktemp("walked")
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    for name, script in (("blue", GOOD), ("green", PICKY)):
        (folder / name).mkdir()
        (folder / name / "score.py").write_text(script, encoding="utf-8")
        document = {
            "name": name,
            "endpoint_name": ENDPOINT,
            "code_configuration": {"code": name, "scoring_script": "score.py"},
            "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
            "instance_type": "Standard_DS2_v2",
        }
        (folder / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
        studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=folder)
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
    keys = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(keys, dict)
    return Recorder(studio.gateway_port, f"/{ENDPOINT}/score", keys["primaryKey"], rate=40.0)


def requests_of(page: Page, column: int) -> str:
    return page.locator("#rollout-live tr:has(th:text-is('Requests')) td").nth(column).inner_text()


def test_by_hand_it_is_tested_by_name_shifted_and_taken_back(
    browser: Browser, studio: RunningStudio, recorder: Recorder
):
    page = Person.at(browser, studio.url).page
    page.goto(f"{studio.url}{PAGE}")
    expect(page.get_by_text("blue receives 100 % of the live traffic and cannot be deleted.")).to_be_visible()
    page.get_by_label("Request to green").fill('{"data": [1, 2, 3]}')
    page.get_by_role("button", name="Send to green").click()
    expect(page.locator("[data-answer]")).to_have_text("3")
    page.get_by_role("button", name="50 % to green").click()
    expect(page.get_by_text("green has 50 %, blue 50 %.")).to_be_visible()
    page.get_by_role("button", name="Back: 0 % to green").click()
    expect(page.get_by_text("green has 0 %, blue 100 %.")).to_be_visible()


def test_figures_follow_without_a_reload(browser: Browser, studio: RunningStudio, recorder: Recorder):
    page = Person.at(browser, studio.url).page
    page.goto(f"{studio.url}{PAGE}")
    before = requests_of(page, 0)
    with recorder.running():
        expect(page.locator("#rollout-live tr:has(th:text-is('Requests')) td").first).not_to_have_text(
            before, timeout=30_000
        )


def test_without_scripts_the_same_forms_do_the_same(browser: Browser, studio: RunningStudio, recorder: Recorder):
    page = Person.at(browser, studio.url, has_scripts=False).page
    page.goto(f"{studio.url}{PAGE}")
    page.get_by_label("or any share").fill("30")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("green has 30 %, blue 70 %.")).to_be_visible()
    page.get_by_role("button", name="Back: 0 % to green").click()
    expect(page.get_by_text("green has 0 %, blue 100 %.")).to_be_visible()


def test_guarded_it_goes_back_by_itself_and_says_why(browser: Browser, studio: RunningStudio, recorder: Recorder):
    page = Person.at(browser, studio.url).page
    page.goto(f"{studio.url}{PAGE}")
    with recorder.running():
        page.get_by_text("Or let the studio do it, guarded").click()
        page.get_by_role("button", name="Start the rollout").click()
        expect(page.get_by_role("button", name="Abort: back to blue")).to_be_visible()
        # Nobody touches the page from here on.
        over = page.get_by_text("The split that stood before stands again.")
        expect(over).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Abort: back to blue")).to_have_count(0)
    page.get_by_role("link", name="Look at the evidence").click()
    expect(page.get_by_text("Rolled back")).to_be_visible()
    expect(page.locator("td", has_text="424:").first).to_be_visible()
    expect(page.locator(".log")).to_contain_text("KeyError")
