"""Traffic is shifted with the sliders while requests run, and the share that is measured follows."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENDPOINT = "shifted"
SCRIPT = "def init():\n    pass\n\n\ndef run(raw_data):\n    return 1\n"
# Any split balance() may be asked for: whole shares from 0 to 100, held ones untouched, 100 in all.
ALWAYS_WHOLE = """async (source) => {
  const { balance } = await import(source);
  const upTo = (most) => Math.floor(Math.random() * (most + 1));
  for (let round = 0; round < 20000; round++) {
    let left = 100;
    const shares = Array.from({ length: 1 + upTo(5) }, (_, at, all) => {
      const percent = upTo(left);
      left -= percent;
      return { percent, isHeld: upTo(4) === 0, isReady: upTo(2) > 0 };
    });
    shares.at(-1).percent += left;
    const moved = upTo(shares.length - 1);
    const given = balance(shares, moved, upTo(140) - 20);
    const isWhole = given.every((one) => Number.isInteger(one) && one >= 0 && one <= 100);
    const isKept = shares.every((one, at) => at === moved || !one.isHeld || given[at] === one.percent);
    if (given.reduce((a, b) => a + b) !== 100 || !isWhole || !isKept) return JSON.stringify([shares, moved, given]);
  }
  return "";
}"""


@pytest.fixture(scope="module")
def key(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an endpoint with blue at 100 % and green at 0."""
    folder = tmp_path_factory.mktemp("shifted")
    (folder / "code").mkdir()
    (folder / "code" / "score.py").write_text(SCRIPT, encoding="utf-8")
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    for name in ("blue", "green"):
        _deploy(studio, folder, name)
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
    credentials = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(credentials, dict)
    return str(credentials["primaryKey"])


def _deploy(studio: RunningStudio, folder: Path, name: str) -> None:
    document = {
        "name": name,
        "endpoint_name": ENDPOINT,
        "code_configuration": {"code": "code", "scoring_script": "score.py"},
        "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
    }
    (folder / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
    studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=folder)


def answered_by(studio: RunningStudio, key: str, *, requests: int = 300) -> Counter[str]:
    """Which deployments answered so many calls."""
    counted: Counter[str] = Counter()
    for _ in range(requests):
        call = urllib.request.Request(
            f"{studio.gateway_url}/{ENDPOINT}/score",
            data=b"{}",
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(call, timeout=10) as answer:
            counted[answer.headers["azureml-model-deployment"]] += 1
    return counted


def shares(page: Page) -> list[str]:
    return [field.input_value() for field in page.locator("[data-share] input[type=number]").all()]


def open_overview(browser: Browser, studio: RunningStudio) -> Person:
    person = Person.at(browser, studio.url)
    person.visit(f"/endpoints/{ENDPOINT}/")
    return person


def test_the_measured_share_follows_the_sliders_and_their_undo(browser: Browser, studio: RunningStudio, key: str):
    assert answered_by(studio, key, requests=50) == {"blue": 50}
    page = open_overview(browser, studio).page
    slider = page.get_by_label("Share of blue in percent")
    slider.focus()
    for _ in range(40):
        slider.press("ArrowLeft")
    expect(page.locator("[data-summary]")).to_have_text("Will change: blue 100 → 60 %, green 0 → 40 %.")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Your change: blue 100 → 60 %, green 0 → 40 %.")).to_be_visible()
    assert 120 <= answered_by(studio, key)["blue"] <= 240  # 180 expected; beyond seven deviations either way
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Your change: blue 60 → 100 %, green 40 → 0 %.")).to_be_visible()
    assert answered_by(studio, key, requests=50) == {"blue": 50}


def test_shares_add_up_whatever_is_moved(browser: Browser, studio: RunningStudio, key: str):
    page = open_overview(browser, studio).page
    source = page.evaluate("[...document.scripts].find((one) => one.src.includes('traffic')).src")
    assert page.evaluate(ALWAYS_WHOLE, source) == ""


def test_a_lock_holds_a_share_and_reset_brings_all_back(browser: Browser, studio: RunningStudio, key: str):
    page = open_overview(browser, studio).page
    page.locator("[data-share=blue] input[type=number]").fill("70")
    assert shares(page) == ["70", "30"]
    page.get_by_role("button", name="Hold green").click()
    page.locator("[data-share=blue] input[type=number]").fill("10")
    assert shares(page) == ["70", "30"]
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("[data-summary]")).to_have_text("Nothing is changed yet.")
    assert shares(page) == ["100", "0"]


def test_a_shadow_gives_its_share_away(browser: Browser, studio: RunningStudio, key: str):
    page = open_overview(browser, studio).page
    page.locator("[data-share=blue] input[type=number]").fill("70")
    page.get_by_label("Mirror to").select_option("green")
    assert shares(page) == ["100", "0"]
    expect(page.get_by_label("Share of green in percent")).to_be_disabled()
