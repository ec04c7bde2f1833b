"""A failed deployment is read, mended where it is read, and watched: its cause, its document, an instance that dies."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, expect

from endpoints.cli.client import StudioClient
from endpoints.cli.connection import find_connection
from tests.e2e.broken import FINE_RUN, Broken, create, failure_of
from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENDPOINT = "mended"
NEEDS_VARIABLE = Broken(
    "blue", "", "", "", script=f"import os\n\n\ndef init():\n    os.environ['THRESHOLD']\n{FINE_RUN}"
)


def test_a_failure_is_mended_from_its_page_and_a_later_death_is_seen(browser: Browser, studio: RunningStudio):
    with StudioClient(find_connection(studio.environment)) as client:
        client.post("online-endpoints", json={"name": ENDPOINT})
        create(client, ENDPOINT, NEEDS_VARIABLE)
        failure_of(client, ENDPOINT, "blue")
    person = Person.at(browser, studio.url)
    person.visit(f"/endpoints/{ENDPOINT}/deployments/blue/")
    alert = person.page.get_by_role("alert")
    expect(alert).to_contain_text("init() failed in score.py, line 5: KeyError: 'THRESHOLD'")
    expect(alert).to_contain_text("Set THRESHOLD in the deployment's environment_variables.")

    person.visit(f"/endpoints/{ENDPOINT}/deployments/blue/edit-yaml/")
    text = person.page.locator("[name='text']").input_value()
    person.fill("text", f"{text}environment_variables:\n  THRESHOLD: '0.5'\n")
    person.page.get_by_role("button", name="Review").click()
    changed = person.page.get_by_role("term").filter(has_text="environment_variables.THRESHOLD")
    expect(changed.locator("xpath=following-sibling::dd[1]")).to_have_text("none → 0.5")
    person.page.get_by_role("button", name="Apply").click()
    person.page.wait_for_url("**/deployments/blue/")
    person.wait_until_ready()

    instances = person.page.locator("section", has_text="Instances").locator("table").first
    expect(instances).to_contain_text("Ready")
    first = instances.inner_text()
    os.kill(int(first.split("pid ")[1].split()[0]), 9)
    name = first.split("\n")[1].split("\t")[0]
    expect(instances).not_to_contain_text(name, timeout=30_000)  # nobody reloads the page
