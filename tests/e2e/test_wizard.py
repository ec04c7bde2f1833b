"""Journeys through the deployment wizard in a real browser, against a studio that really runs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Person
from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAIN_CONDA = "dependencies:\n  - python=3.11\n  - pip\n"
ECHO = """\
import json


def init():
    pass


def run(raw_data):
    print("echoing")
    return json.loads(raw_data)["data"]
"""
TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"


@pytest.fixture
def person(browser: Browser, studio: RunningStudio) -> Iterator[Person]:
    someone = Person.at(browser, studio.url)
    yield someone
    someone.context.close()


def test_a_model_file_becomes_a_prediction(person: Person, sample_folder: Path) -> None:
    page = person.page
    person.begin("from-a-file")
    person.choose("model-source", "upload")
    model = sample_folder / "model" / "sklearn_regression_model.joblib"
    page.locator("input[type=file]:not([webkitdirectory])").set_input_files(model)
    expect(page.locator("[data-upload-status]")).to_contain_text("Received")
    expect(page.locator("[name='model-name']")).to_have_value("sklearn_regression_model")
    person.next("environment")
    expect(page.locator("[name='environment-script']")).to_have_value(re.compile("sklearn_regression_model.joblib"))
    conda = (sample_folder / "environment" / "conda.yaml").read_text(encoding="utf-8")
    person.with_conda(conda, name="from-a-file")
    person.create()
    person.visit("/endpoints/from-a-file/test/")
    person.send(f'{{"data": [{TEN}, {TEN}]}}')
    call = page.locator("[data-call]").first
    expect(call).to_contain_text("200 OK")
    expect(call.locator("[data-answer]")).to_contain_text("[")
    expect(call.locator("[data-call-log]")).to_contain_text("Scoring 2 rows")
    person.send('{"rows": 1}')
    expect(page.locator("[data-call]").first).to_contain_text("424")
    expect(page.locator("[data-call-log]").first).to_contain_text("KeyError: 'data'")


def test_a_second_deployment_takes_its_part_of_the_traffic_when_ready(person: Person) -> None:
    page = person.page
    person.begin("two-versions")
    person.without_model()
    person.with_conda(PLAIN_CONDA, name="plain", script=ECHO)
    person.create()
    person.visit("/endpoints/two-versions/")
    page.get_by_role("link", name="Add deployment").click()
    expect(page.locator("[name='endpoint-existing']")).to_have_value("two-versions")
    expect(page.locator("[name='endpoint-deployment']")).to_have_value("green")
    person.next("model")
    person.without_model()
    person.choose("environment-environment", "registered")
    person.fill("environment-script", ECHO)
    person.next("compute")
    person.next("traffic")
    person.choose("traffic-share", "part")
    person.fill("traffic-percent", "25")
    person.next("review")
    expect(page.get_by_role("img", name=re.compile("blue 75 %.*green 25 %"))).to_be_visible()
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/deployments/green/")
    person.wait_until_ready()
    person.visit("/endpoints/two-versions/")
    expect(page.get_by_role("img", name=re.compile("blue 75 %.*green 25 %"))).to_be_visible()
    person.visit("/endpoints/two-versions/test/")
    page.get_by_label("Answered by").select_option("green")
    person.send('{"data": [1, 2]}')
    expect(page.locator("[data-call]").first).to_contain_text("green")
    expect(page.locator("[data-call-log]").first).to_contain_text("echoing")


def test_a_draft_survives_signing_out(person: Person) -> None:
    page = person.page
    person.begin("left-half-way")
    person.without_model()
    person.choose("environment-environment", "conda")
    person.fill("environment-script", "# kept\n" + ECHO)
    page.get_by_role("button", name="Save draft").click()
    page.wait_for_url("**/deploy/")
    page.locator("[data-menu] summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/**")
    person.sign_in()
    person.visit("/deploy/")
    page.get_by_role("link", name="left-half-way / blue").click()
    page.wait_for_url("**/environment/")
    expect(page.locator("[name='environment-script']")).to_have_value(re.compile("# kept"))
    person.visit("/deploy/")
    page.get_by_role("button", name="Discard left-half-way / blue").click()
    expect(page.get_by_text("The draft is gone.")).to_be_visible()
    expect(page.get_by_text("left-half-way")).to_have_count(0)


def test_quota_is_refused_before_anything_is_created(person: Person) -> None:
    page = person.page
    person.begin("too-large")
    person.without_model()
    person.with_conda(PLAIN_CONDA, name="too-large", script=ECHO)
    person.choose("compute-instance_type", "Standard_F8s_v2")
    person.fill("compute-instance_count", "50")
    expect(page.locator("#quota")).to_contain_text("Not enough quota for 50 instances.")
    expect(page.locator("#quota")).to_contain_text("= 480 cores")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Not enough quota: see below what would fit.")).to_be_visible()
    person.visit("/endpoints/")
    expect(page.get_by_text("too-large")).to_have_count(0)


def test_a_script_that_does_not_compile_is_stopped_with_its_line(person: Person) -> None:
    page = person.page
    person.begin("broken-script")
    person.without_model()
    person.choose("environment-environment", "conda")
    person.fill("environment-name", "broken")
    person.fill("environment-script", "def init():\n    pass\n\ndef run(raw_data)\n    return 1\n")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".error").filter(has_text="Line 4")).to_be_visible()


def test_the_wizard_needs_no_scripts(browser: Browser, studio: RunningStudio, sample_folder: Path) -> None:
    person = Person.at(browser, studio.url, has_scripts=False)
    person.begin("without-scripts")
    person.choose("model-source", "upload")
    person.page.locator("[name='model-files']").set_input_files(
        [sample_folder / "model" / "sklearn_regression_model.joblib", sample_folder / "train.py"]
    )
    person.fill("model-name", "without-scripts")
    person.next("environment")
    expect(person.page.get_by_text("without-scripts:1")).to_be_visible()
    person.with_conda(PLAIN_CONDA, name="without-scripts")
    person.next("traffic")
    person.next("review")
    expect(person.page.get_by_text("slipway model create -f model.yml")).to_be_visible()
    person.context.close()


def test_the_keyboard_is_enough(person: Person) -> None:
    page = person.page
    person.visit("/deploy/new/")
    page.locator("[name='endpoint-name']").focus()
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url("**/model/")
    page.locator("[name='model-source'][value='none']").focus()
    page.keyboard.press("Space")
    expect(page.locator("[name='model-source'][value='none']")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url("**/environment/")
    page.locator("[data-editor]").focus()
    page.keyboard.press("Tab")
    expect(page.locator("[data-editor]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.locator("[data-editor]")).not_to_be_focused()


def test_the_reviews_files_and_commands_do_the_same(person: Person, studio: RunningStudio, tmp_path: Path) -> None:
    page = person.page
    person.begin("by-command")
    person.without_model()
    person.with_conda(PLAIN_CONDA, name="by-command", script=ECHO)
    person.next("traffic")
    person.next("review")
    for file in page.locator("details[data-file]").all():
        path = tmp_path / str(file.get_attribute("data-file"))
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.locator("pre").text_content() or "", encoding="utf-8")
    commands = page.locator("[data-commands] pre").text_content() or ""
    for command in commands.splitlines():
        studio.slipway(*shlex.split(command)[1:], cwd=tmp_path)
    request = tmp_path / "request.json"
    request.write_text('{"data": [7]}', encoding="utf-8")
    answer = studio.slipway("online-endpoint", "invoke", "--name", "by-command", "--request-file", str(request))
    assert json.loads(answer.stdout) == [7]
