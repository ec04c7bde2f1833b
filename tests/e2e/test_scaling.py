"""Scaling for real: asleep, woken by a burst, bounded in what is held, scaled under load without a loss."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import need
from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio
from tests.e2e.watching import eventually

pytestmark = [pytest.mark.slow]

ENDPOINT = "elastic"
SCRIPT = "import time\n\n\ndef init():\n    pass\n\n\ndef run(raw_data):\n    time.sleep(0.01)\n    return 1\n"
SLEEPY = {"minimum": 0, "maximum": 2, "idle_timeout": "10s", "hold": {"requests": 100, "timeout": "60s"}}


@pytest.fixture(scope="module")
def key(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an endpoint with one deployment that may sleep."""
    folder = tmp_path_factory.mktemp("elastic")
    (folder / "code").mkdir()
    (folder / "code" / "score.py").write_text(SCRIPT, encoding="utf-8")
    document = {
        "name": "blue",
        "endpoint_name": ENDPOINT,
        "code_configuration": {"code": "code", "scoring_script": "score.py"},
        "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
        "scaling": SLEEPY,
    }
    (folder / "blue.yml").write_text(json.dumps(document), encoding="utf-8")
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    studio.slipway("online-deployment", "create", "-f", "blue.yml", "--all-traffic", cwd=folder)
    credentials = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(credentials, dict)
    return str(credentials["primaryKey"])


def call(studio: RunningStudio, key: str) -> tuple[int, Message]:
    """Status and head of the answer to one request."""
    request = urllib.request.Request(
        f"{studio.gateway_url}/{ENDPOINT}/score",
        data=b"{}",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def burst(studio: RunningStudio, key: str, *, requests: int) -> list[tuple[int, Message]]:
    """So many at once."""
    with ThreadPoolExecutor(requests) as pool:
        return list(pool.map(lambda _: call(studio, key), range(requests)))


def shown(studio: RunningStudio) -> dict[str, Any]:
    found = studio.slipway_json("online-deployment", "show", "-n", "blue", "-e", ENDPOINT)
    assert isinstance(found, dict)
    return found


def is_asleep(studio: RunningStudio) -> bool:
    found = shown(studio)
    return bool(found["is_asleep"] and found["provisioning_state"] == "Succeeded" and not found["instances"])


def decisions(studio: RunningStudio) -> list[dict[str, Any]]:
    found = studio.slipway_json("monitor", "autoscale", "decisions", "--resource", f"{ENDPOINT}/blue")
    assert isinstance(found, list)
    return found


def change_policy(studio: RunningStudio, policy: dict[str, Any]) -> None:
    value = json.dumps(policy)
    studio.slipway("online-deployment", "update", "-n", "blue", "-e", ENDPOINT, "--set", f"scaling={value}")


def test_a_burst_wakes_a_sleeper_and_every_request_is_answered(studio: RunningStudio, key: str) -> None:
    assert call(studio, key)[0] == 200
    eventually(lambda: is_asleep(studio), within_s=120)
    assert decisions(studio)[0]["reason"] == "No request for 10s."
    answers = burst(studio, key, requests=50)
    assert Counter(status for status, _ in answers) == {200: 50}
    woken, *_ = decisions(studio)
    assert (woken["cause"], woken["before"], woken["given"]) == ("wake", 0, 1)
    assert woken["made_by"] == "autoscaler"


def test_beyond_the_bound_callers_are_told_to_come_again(studio: RunningStudio, key: str) -> None:
    change_policy(studio, {**SLEEPY, "idle_timeout": "1h", "hold": {"requests": 5, "timeout": "60s"}})
    studio.slipway("online-deployment", "sleep", "-n", "blue", "-e", ENDPOINT)
    assert is_asleep(studio)
    answers = burst(studio, key, requests=30)
    refused = [head for status, head in answers if status == 503]
    assert Counter(status for status, _ in answers).keys() <= {200, 503}
    assert len(refused) >= 10
    assert {head["Retry-After"] for head in refused} == {"5"}
    assert call(studio, key)[0] == 200


def test_rules_scale_up_and_down_under_load_without_a_failed_request(studio: RunningStudio, key: str) -> None:
    out = {"condition": "RequestsPerMinute > 120 avg 20s", "scale": "out 1", "cooldown": "5s"}
    quiet = {"condition": "RequestsPerMinute < 120 avg 20s", "scale": "in 1", "cooldown": "5s"}
    change_policy(studio, {"minimum": 1, "maximum": 2, "rules": [out, quiet]})
    statuses: Counter[int] = Counter()
    pause_s, is_over = [0.05], threading.Event()

    def load() -> None:
        while not is_over.is_set():
            statuses[call(studio, key)[0]] += 1
            time.sleep(pause_s[0])

    loader = threading.Thread(target=load)
    loader.start()
    try:
        eventually(lambda: shown(studio)["ready_instances"] == 2, within_s=120)
        pause_s[0] = 2.0
        eventually(lambda: shown(studio)["ready_instances"] == 1 == len(shown(studio)["instances"]), within_s=120)
    finally:
        is_over.set()
        loader.join()
    assert statuses.keys() == {200}
    by_rule = [(each["before"], each["given"]) for each in decisions(studio) if each["cause"] == "rule"]
    assert by_rule[:2] == [(2, 1), (1, 2)]


@pytest.mark.browser
def test_a_rule_is_set_on_the_page_and_its_decision_seen(studio: RunningStudio, key: str) -> None:
    studio.slipway("monitor", "autoscale", "delete", "--resource", f"{ENDPOINT}/blue", "--yes")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    need("browser", bool(path), "no Chromium on PATH; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = Person.at(browser, studio.url).page
        page.goto(f"{studio.url}/endpoints/{ENDPOINT}/deployments/blue/scaling/")
        page.get_by_role("link", name="Scale by itself").click()
        page.get_by_label("Maximum").fill("2")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="Add a rule").click()
        page.get_by_label("When").select_option("RequestsPerMinute")
        page.get_by_label("Is", exact=True).select_option(">=")
        page.get_by_label("Threshold").fill("0")
        page.get_by_label("Over the last").fill("10s")
        page.get_by_role("button", name="Add the rule").click()
        expect(page.get_by_text("RequestsPerMinute >= 0 avg 10s", exact=True)).to_be_visible()
        eventually(lambda: any("is 0: out 1." in each["reason"] for each in decisions(studio)))
        page.reload()
        expect(page.get_by_text("RequestsPerMinute >= 0 avg 10s, and it is 0: out 1.")).to_be_visible()
        expect(page.get_by_text("1 → 2").first).to_be_visible()
