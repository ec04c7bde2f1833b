"""An operator's day in a real browser: traffic shifted, a failure mended, quota asked for, a right taken away.

Each journey ends at the audit log, which must tell of it.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.conftest import need
from tests.e2e.browsing import READY_WITHIN_MS, Person
from tests.e2e.conftest import PASSWORD, RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHIFTED, MENDED, GUARDED, HIDDEN, MISSING = "operated", "operator-mended", "guarded", "hidden-ledger", "no-such-thing"
CONDA = {"dependencies": ["python=3.11", "pip"]}
SCRIPT = "def init():\n    pass\n\n\ndef run(raw_data):\n    return 1\n"
NEEDS_A_VARIABLE = "import os\n\n\ndef init():\n    os.environ['THRESHOLD']\n\n\ndef run(raw_data):\n    return 1\n"
FAMILY, SIZE = "ESv3", "Standard_E2s_v3"
PROVIDER = "Microsoft.MachineLearningServices"
ENDPOINTS = f"{PROVIDER}/workspaces/onlineEndpoints"
ROLE = "Endpoint keeper"
KEEPER: dict[str, object] = {
    "Name": ROLE,
    "Description": "Runs an endpoint.",
    "Actions": [f"{ENDPOINTS}/*"],
    "NotActions": [],
}
PATIENT_MS, DEFAULT_MS = 30_000, 5_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    need("browser", bool(path), "no Chromium on PATH; apt-get install chromium")
    expect.set_options(timeout=PATIENT_MS)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    expect.set_options(timeout=DEFAULT_MS)


@pytest.fixture(scope="module")
def admin(browser: Browser, studio: RunningStudio) -> Iterator[Person]:
    someone = Person.at(browser, studio.url)
    yield someone
    someone.context.close()


def deploy(studio: RunningStudio, folder: Path, endpoint: str, name: str, script: str = SCRIPT) -> bool:
    """Whether it went well."""
    code = folder / name
    code.mkdir()
    (code / "score.py").write_text(script, encoding="utf-8")
    document = {
        "name": name,
        "endpoint_name": endpoint,
        "code_configuration": {"code": name, "scoring_script": "score.py"},
        "environment": {"conda_file": CONDA, "image": "any"},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
    }
    (folder / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
    return studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=folder, check=False).returncode == 0


def invite(admin: Person, username: str) -> None:
    """An account without a role."""
    page = admin.page
    admin.visit("/access/")
    page.get_by_role("link", name="Invite").click()
    page.get_by_label("User name").fill(username)
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Invite").click()
    expect(page.get_by_role("cell", name=username, exact=True).first).to_be_visible()


def give(admin: Person, role: str, to: str, *, where: str = "the whole workspace") -> None:
    page = admin.page
    admin.visit("/access/")
    page.get_by_role("link", name="Give a role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Role").select_option(role)
    dialog.get_by_label("Person").select_option(to)
    dialog.get_by_label("Where").select_option(label=where)
    dialog.get_by_role("button", name="Give").click()
    expect(page.get_by_role("row").filter(has_text=to).filter(has_text=role)).to_be_visible()


def recorded(admin: Person, words: str, summary: str | re.Pattern[str]) -> Locator:
    """The newest line of the audit log that says so, with what was before and after unfolded."""
    admin.visit(f"/activity/audit/?q={words}")
    row = admin.page.get_by_role("row").filter(has_text=summary).first
    expect(row).to_be_visible()
    for details in row.locator("details").all():
        details.locator("summary").click()
    return row


@pytest.fixture(scope="module")
def key(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of an endpoint with blue at 100 % and green at 0."""
    folder = tmp_path_factory.mktemp("operated")
    studio.slipway("online-endpoint", "create", "-n", SHIFTED)
    for name in ("blue", "green"):
        assert deploy(studio, folder, SHIFTED, name)
    studio.slipway("online-endpoint", "update", "-n", SHIFTED, "--traffic", "blue=100")
    credentials = studio.slipway_json("online-endpoint", "get-credentials", "-n", SHIFTED)
    assert isinstance(credentials, dict)
    return str(credentials["primaryKey"])


class Caller:
    """Calls an endpoint all the time, and counts which deployment answered."""

    def __init__(self, studio: RunningStudio, key: str) -> None:
        self.answered: Counter[str] = Counter()
        self._url = f"{studio.gateway_url}/{SHIFTED}/score"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._counted = threading.Condition()

    def call(self) -> None:
        request = urllib.request.Request(self._url, data=b"{}", headers=self._headers)
        with urllib.request.urlopen(request, timeout=30) as answer, self._counted:
            self.answered[answer.headers["azureml-model-deployment"]] += 1
            self._counted.notify_all()

    def wait_for(self, deployment: str, *, more: int) -> None:
        """Until it has answered so many more calls."""
        with self._counted:
            wanted = self.answered[deployment] + more
            assert self._counted.wait_for(lambda: self.answered[deployment] >= wanted, timeout=60), self.answered

    @contextmanager
    def calling(self) -> Iterator[None]:
        is_over = threading.Event()

        def call_again() -> None:
            while not is_over.wait(0.02):
                self.call()

        thread = threading.Thread(target=call_again)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(60)

    def seen(self) -> str:
        """What the page must say once it has counted all of them."""
        total = self.answered.total()
        shares = (100 * self.answered[name] / total for name in ("blue", "green"))
        blue, green = (f"{share:,.0f}" if share == int(share) else f"{share:,.1f}" for share in shares)
        return f"Seen in the last 5 minutes: blue {blue} %, green {green} % of {total:,} requests."


def test_the_measured_share_follows_the_sliders_while_requests_run(admin: Person, studio: RunningStudio, key: str):
    page, caller = admin.page, Caller(studio, key)
    admin.visit(f"/endpoints/{SHIFTED}/")
    seen, slider = page.locator("#traffic-seen"), page.get_by_label("Share of green in percent")
    with caller.calling():
        expect(seen).to_contain_text("blue 100 %", timeout=60_000)
        slider.click()  # its middle
        expect(page.locator("[data-summary]")).to_have_text(re.compile(r"blue 100 → (4|5)\d %, green 0 → (4|5)\d %"))
        slider.press("End")
        slider.press("PageDown")
        expect(page.locator("[data-summary]")).to_have_text("Will change: blue 100 → 10 %, green 0 → 90 %.")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text("Your change: blue 100 → 10 %, green 0 → 90 %.")).to_be_visible()
        caller.wait_for("green", more=150)
    expect(seen).to_have_text(caller.seen(), timeout=60_000)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Your change: blue 10 → 100 %, green 90 → 0 %.")).to_be_visible()
    before = caller.answered["green"]
    for _ in range(30):
        caller.call()
    assert caller.answered["green"] == before


def test_the_audit_log_tells_a_shift_with_before_and_after_and_exports_it(admin: Person, key: str):
    page = admin.page
    admin.visit(f"/endpoints/{SHIFTED}/")
    page.locator("[data-share=green] input[type=number]").fill("35")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Your change: blue 100 → 65 %, green 0 → 35 %.")).to_be_visible()
    row = recorded(admin, SHIFTED, re.compile("traffic", re.IGNORECASE))
    expect(row).to_contain_text("admin")
    expect(row.get_by_role("row").filter(has_text="traffic").first).to_contain_text("100")
    expect(row.get_by_role("row").filter(has_text="traffic").first).to_contain_text("35")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(SHIFTED in line["target"] for line in lines)
    assert json.loads(lines[0]["before"])["traffic"]["blue"] == 100
    assert json.loads(lines[0]["after"])["traffic"] == {"blue": 65, "green": 35}


def test_a_failed_deployment_says_why_and_works_once_mended(admin: Person, studio: RunningStudio, tmp_path: Path):
    page = admin.page
    studio.slipway("online-endpoint", "create", "-n", MENDED)
    assert not deploy(studio, tmp_path, MENDED, "blue", NEEDS_A_VARIABLE)
    admin.visit(f"/endpoints/{MENDED}/deployments/blue/")
    failure = page.get_by_role("alert")
    for said in ("KeyError: 'THRESHOLD'", "UserScriptInitFailed", "score.py, line 5", "Set THRESHOLD", "Traceback"):
        expect(failure).to_contain_text(said)
    expect(page.locator("#deployment-state")).to_contain_text("Failed")
    page.get_by_role("link", name="YAML", exact=True).click()
    page.get_by_role("link", name="Edit YAML").click()
    add_lines(page, "environment_variables:\n  THRESHOLD: '3'\n")
    expect(page.locator("#deployment-state")).to_contain_text("Succeeded", timeout=READY_WITHIN_MS)
    expect(failure).to_have_count(0)
    expect(page.get_by_text("1 of 1 ready")).to_be_visible()
    row = recorded(admin, MENDED, re.compile("Update|Change", re.IGNORECASE))
    expect(row.get_by_role("row").filter(has_text="THRESHOLD")).to_be_visible()


def add_lines(page: Page, lines: str) -> None:
    """To the document that is edited, which is reviewed before it is applied."""
    text = page.get_by_label("Document")
    text.fill(f"{text.input_value()}\n{lines}")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_text("environment_variables.THRESHOLD")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/deployments/blue/")


def set_limit(admin: Person, cores: int) -> None:
    admin.visit("/quota/")
    admin.fill(f"limit-{FAMILY}", str(cores))
    admin.page.get_by_role("button", name="Save limits").click()
    expect(admin.page.get_by_text("Limits saved.")).to_be_visible()


def fill_until_compute(member: Person, endpoint: str) -> None:
    member.begin(endpoint)
    member.without_model()
    member.with_conda("dependencies:\n  - python=3.11\n  - pip\n", name=endpoint, script=SCRIPT)
    member.page.get_by_text("All instance types").click()
    member.choose("compute-instance_type", SIZE)


def ask_for_more(member: Person, cores: int) -> None:
    """By the link in the refusal."""
    page = member.page
    page.get_by_role("link", name="ask for more").click()
    page.get_by_role("link", name="Ask for more").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Family").select_option(FAMILY)
    dialog.get_by_label("New limit in cores").fill(str(cores))
    dialog.get_by_label("Reason").fill("a model of mine")
    dialog.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("listitem").filter(has_text=f"{FAMILY} to {cores} cores")).to_contain_text("Open")


def test_a_limit_that_blocked_a_wizard_is_raised_and_the_wizard_goes_on(admin: Person, browser: Browser):
    invite(admin, "mira")
    give(admin, "AzureML Data Scientist", "mira")
    set_limit(admin, 3)
    member = Person.at(browser, admin.url, username="mira")
    fill_until_compute(member, "asked-for")
    expect(member.page.locator("#quota")).to_contain_text("Not enough quota for 1 instance.")
    member.page.get_by_role("button", name="Next").click()
    expect(member.page.get_by_text("Not enough quota: see below what would fit.")).to_be_visible()
    ask_for_more(member, 4)
    admin.visit("/quota/")
    asked = admin.page.get_by_role("listitem").filter(has_text="a model of mine")
    expect(asked).to_contain_text("mira")
    asked.get_by_role("link", name="Approve").click()
    admin.page.get_by_label("Note").fill("until spring")
    admin.page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(asked.filter(has_text="until spring")).to_contain_text("Approved")
    go_on(member, "asked-for")
    row = recorded(admin, FAMILY, f"Limit of {FAMILY}: 3 to 4 cores")
    expect(row.get_by_role("row").filter(has_text="limit_cores")).to_have_text(re.compile(r"limit_cores\s*3\s*4"))
    member.context.close()


def go_on(member: Person, endpoint: str) -> None:
    """The draft that was refused, to its end."""
    member.visit("/quota/")
    expect(member.page.get_by_role("listitem").filter(has_text="a model of mine")).to_contain_text("Approved")
    member.visit("/deploy/")
    member.page.get_by_role("link", name=f"{endpoint} / blue").click()
    member.page.wait_for_url("**/compute/")
    expect(member.page.locator(f"[name='compute-instance_type'][value='{SIZE}']")).to_be_checked()
    expect(member.page.locator("#quota")).to_contain_text("4 of 4 are free.")
    member.create()


def save_role(admin: Person, link: Locator, document: dict[str, object]) -> None:
    link.click()
    admin.page.get_by_label("Role as JSON").fill(json.dumps(document))
    admin.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(admin.page.get_by_role("dialog")).to_have_count(0)
    expect(admin.page.get_by_role("columnheader", name=str(document["Name"]))).to_be_visible()


def forced(person: Person, path: str) -> tuple[int, str]:
    """The answer to a POST of a form that is not offered, with this person's cookies."""
    token = next(one["value"] for one in person.context.cookies() if one["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": f"{person.url}/"}
    answer = person.context.request.post(f"{person.url}{path}", headers=headers)
    return answer.status, answer.text()


@pytest.fixture
def keeper(admin: Person, browser: Browser, studio: RunningStudio) -> Iterator[Person]:
    """Kit, who holds a custom role on one of two endpoints."""
    for name in (GUARDED, HIDDEN):
        studio.slipway("online-endpoint", "create", "-n", name)
    invite(admin, "kit")
    save_role(admin, admin.page.get_by_role("link", name="Make a role"), KEEPER)
    give(admin, ROLE, "kit", where=GUARDED)
    kit = Person.at(browser, studio.url, username="kit")
    yield kit
    kit.context.close()


def test_a_custom_role_takes_buttons_away_and_refuses_what_is_forced(admin: Person, keeper: Person):
    kit = keeper.page
    keeper.visit(f"/endpoints/{GUARDED}/")
    expect(kit.get_by_role("link", name="Delete")).to_be_visible()
    denied = [f"{ENDPOINTS}/delete", f"{ENDPOINTS}/listKeys/action"]
    admin.visit("/access/")
    save_role(admin, admin.page.get_by_role("link", name=f"Edit {ROLE}"), {**KEEPER, "NotActions": denied})
    keeper.visit(f"/endpoints/{GUARDED}/")
    expect(kit.get_by_role("link", name="Edit", exact=True)).to_be_visible()
    expect(kit.get_by_role("link", name="Delete")).to_have_count(0)
    keeper.visit(f"/endpoints/{GUARDED}/consume/")
    expect(kit.get_by_role("button", name="Show")).to_have_count(0)
    for path, action in (("delete", denied[0]), ("keys", denied[1])):
        status, said = forced(keeper, f"/endpoints/{GUARDED}/{path}/")
        assert (status, action in said) == (403, True), said
        refused = recorded(admin, "kit&outcome=refused", action)
        expect(refused).to_contain_text("Refused")
    changed = recorded(admin, "keeper", "Change the role").get_by_role("row").filter(has_text="NotActions")
    expect(changed).to_contain_text(re.compile(r"NotActions\s*\[\]\s*\[.*listKeys"))
    the_hidden_stays_hidden(keeper)


def the_hidden_stays_hidden(keeper: Person) -> None:
    """An endpoint one may not read is one there is not: on no page, and in no answer to its address."""
    for path in ("/", "/endpoints/", "/search/?q=ledger", "/activity/", "/quota/", "/deploy/new/"):
        keeper.visit(path)
        body = keeper.page.locator("body").inner_text() + keeper.page.content().replace("q=ledger", "")
        assert HIDDEN not in body, path
    for path in ("", "metrics/", "logs/", "activity/", "deployments/blue/"):
        status, said = asked_for(keeper, HIDDEN, path)
        assert (status, said) == asked_for(keeper, MISSING, path)
        assert status == 404
    assert asked_for(keeper, HIDDEN, "delete/", is_forced=True) == asked_for(keeper, MISSING, "delete/", is_forced=True)


def asked_for(keeper: Person, endpoint: str, path: str, *, is_forced: bool = False) -> tuple[int, str]:
    """Status and page, without the name that was asked for and what is random in every page."""
    address = f"/endpoints/{endpoint}/{path}"
    if is_forced:
        status, said = forced(keeper, address)
    else:
        answer = keeper.context.request.get(f"{keeper.url}{address}")
        status, said = answer.status, answer.text()
    return status, re.sub(r"\b\w{64}\b", "", said).replace(endpoint, "")
