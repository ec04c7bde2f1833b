"""A shadow that answers differently in a known share of requests: the page says what the caller itself works out."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio
from tests.e2e.watching import processes_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENDPOINT = "shadowed"
REQUESTS, A_SECOND = 2_000, 60
PATIENT_MS = 60_000
# Of twenty requests green answers two with another label, one with a score that is near, one not at all.
SCRIPT = """
import json, os, time


def init():
    pass


def run(raw_data):
    n = json.loads(raw_data)["n"]
    answer = {"score": n / 7, "label": "high" if n % 2 else "low", "at": time.time(), "by": [{"n": n}]}
    if GREEN:
        if n % 20 in (3, 9):
            answer["label"] = "<script>alert(1)</script>"
        if n % 20 == 5:
            answer["score"] += 1e-9
        if n % 20 == 7:
            raise ValueError("not this one")
    return answer
"""
SHOTS = os.environ.get("SLIPWAY_SHOTS", "")


@pytest.fixture(scope="module")
def key(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an endpoint at which blue is live; green is there and gets nothing yet."""
    folder = tmp_path_factory.mktemp("shadowed")
    studio.slipway("setting", "set", "-n", "mirror_percent", "--value", "100")
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    for name in ("blue", "green"):
        _deploy(studio, folder, name)
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
    credentials = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(credentials, dict)
    return str(credentials["primaryKey"])


def _deploy(studio: RunningStudio, folder: Path, name: str) -> None:
    (folder / name).mkdir()
    script = SCRIPT.replace("GREEN", str(name == "green"))
    (folder / name / "score.py").write_text(script, encoding="utf-8")
    document = {
        "name": name,
        "endpoint_name": ENDPOINT,
        "code_configuration": {"code": name, "scoring_script": "score.py"},
        "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
        "request_settings": {"max_concurrent_requests_per_instance": 20},
    }
    (folder / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
    studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=folder)


def call(studio: RunningStudio, key: str, numbers: range, *, a_second: int = A_SECOND) -> Counter[str]:
    """Call with these numbers at most so many a second; what is to become of each, and which deployment answered."""
    expected: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with httpx.Client(headers=headers, timeout=30) as client:
        for n in numbers:
            answer = client.post(f"{studio.gateway_url}/{ENDPOINT}/score", json={"n": n})
            assert answer.status_code == 200, answer.text
            expected[_verdict(n)] += 1
            expected[answer.headers["azureml-model-deployment"]] += 1
            time.sleep(1 / a_second)  # never faster, not even to catch up: so many a second are compared at most
    return expected


def _verdict(n: int) -> str:
    return {3: "Different", 9: "Different", 5: "Close", 7: "ShadowError"}.get(n % 20, "Exact")


def told(studio: RunningStudio) -> dict[str, object]:
    found = studio.slipway_json("online-endpoint", "comparison", "show", "-n", ENDPOINT)
    assert isinstance(found, dict)
    return found


def wait_for_pairs(studio: RunningStudio, count: int) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while (found := told(studio))["pairs"] != count:
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


def shoot(person: Person, name: str) -> None:
    """Pictures for people, in both themes and two widths, where they are asked for."""
    for theme in ("light", "dark") if SHOTS else ():
        person.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        for width in (1440, 390):
            person.page.set_viewport_size({"width": width, "height": 900})
            person.page.wait_for_timeout(400)
            person.page.screenshot(path=f"{SHOTS}/{name}-{theme}-{width}.png", full_page=True)
    person.page.set_viewport_size({"width": 1280, "height": 900})
    person.page.emulate_media(color_scheme="light")


def test_switched_on_looked_at_and_promoted_in_a_browser(browser: Browser, studio: RunningStudio, key: str) -> None:
    person = Person.at(browser, studio.url)
    page, complaints = person.page, list[str]()

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", listen)
    page.on("dialog", lambda dialog: pytest.fail(f"an answer ran as a script: {dialog.message}"))
    person.visit(f"/endpoints/{ENDPOINT}/")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_text("Nothing is compared")).to_be_visible()
    shoot(person, "off")
    page.get_by_role("link", name="Compare a shadow").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Mirrored percent").fill("100")
    dialog.get_by_label("Pairs a second at most").fill("100")
    dialog.get_by_label("Ignored paths").fill("$.at\nat")
    dialog.get_by_label("Keep the requests").check()
    dialog.get_by_role("button", name="Compare").click()
    expect(dialog.get_by_text("'at' is no path")).to_be_visible()
    shoot(person, "form")
    dialog.get_by_label("Ignored paths").fill("$.at")
    dialog.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("No pair yet")).to_be_visible()
    time.sleep(1)  # gateways follow within a second
    expected = call(studio, key, range(REQUESTS))
    found = wait_for_pairs(studio, REQUESTS)
    assert {kind: count for kind, count in found["kinds"].items() if count} == {  # type: ignore[attr-defined]
        kind: expected[kind] for kind in ("Exact", "Close", "Different", "ShadowError")
    }
    rate = 100 * (expected["Exact"] + expected["Close"]) / REQUESTS
    assert found["agreement_percent"] == pytest.approx(rate)
    expect(page.locator("[data-rate]")).to_have_text(f"{rate:.2f}%", timeout=PATIENT_MS)  # the page has followed
    expect(page.get_by_role("cell", name="$.label").first).to_be_visible()
    person.visit(f"/endpoints/{ENDPOINT}/compare/?range=15m")
    expect(page.locator("[data-chart='agreement'] .scatterlayer .trace").first).to_be_visible(timeout=PATIENT_MS)
    shoot(person, "on")
    row = page.get_by_role("row").filter(has_text="$.label").filter(has_text="→").first
    row.get_by_role("link").click()
    expect(page.locator("mark").filter(has_text="alert").first).to_be_visible()
    expect(page.get_by_text('"n": ').first).to_be_visible()
    shoot(person, "example")
    page.get_by_role("link", name="Back to the comparison").click()
    page.get_by_role("link", name="Promote green").click()
    expect(dialog.get_by_text("Live traffic: blue 100 → 0 %, green 0 → 100 %.")).to_be_visible()
    shoot(person, "promote")
    dialog.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Your change: blue 100 → 0 %, green 0 → 100 %, mirror green 100 → 0 %.")).to_be_visible()
    time.sleep(1)
    assert call(studio, key, range(8, 9))["green"] == 1
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Mirror: green 100 %")).to_be_visible()
    time.sleep(1)
    assert call(studio, key, range(8, 9))["blue"] == 1
    assert not [one for one in complaints if "422" not in one]
    person.context.close()


def test_everything_works_without_scripts(browser: Browser, studio: RunningStudio, key: str) -> None:
    person = Person.at(browser, studio.url, has_scripts=False)
    page = person.page
    person.visit(f"/endpoints/{ENDPOINT}/compare/settings/")
    page.get_by_label("Shadow").select_option("green")
    page.get_by_label("Mirrored percent").fill("100")
    page.get_by_label("Relative tolerance").fill("0.5")
    page.get_by_role("button").filter(has_text="Compare").or_(page.get_by_role("button", name="Save")).first.click()
    expect(page.get_by_text("No pair yet")).to_be_visible()
    page.get_by_role("link", name="Reset").click()
    page.get_by_role("button", name="Forget it").click()
    page.get_by_role("button", name="Compare no more").click()
    expect(page.get_by_text("Mirrored, not compared")).to_be_visible()
    person.context.close()


def test_callers_see_no_failure_while_the_shadow_is_killed(studio: RunningStudio, key: str) -> None:
    studio.slipway(
        "online-endpoint", "update", "-n", ENDPOINT, "--mirror-traffic", "green=100", "--traffic", "blue=100",
        "--set", "comparison.max_per_second=100",
    )  # fmt: skip
    time.sleep(1)
    instances = [
        one for one in processes_of(studio, "slipway_scoring") if any("green-" in part for part in one.cmdline())
    ]
    assert instances
    for one in instances:
        one.kill()
    answered = call(studio, key, range(300))
    assert answered["blue"] == 300
