"""A person at a browser: signing in, walking the wizard, trying an endpoint. No product code is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PASSWORD

# What a first build of an environment may take on a slow machine.
READY_WITHIN_MS = 180_000


@dataclass
class Person:
    """One browser profile in one studio. Everybody's password is the same."""

    url: str
    context: BrowserContext
    page: Page
    username: str = "admin"

    @classmethod
    def at(cls, browser: Browser, url: str, *, username: str = "admin", has_scripts: bool = True) -> Person:
        context = browser.new_context(java_script_enabled=has_scripts, viewport={"width": 1280, "height": 900})
        person = cls(url, context, context.new_page(), username)
        person.sign_in()
        return person

    def sign_in(self) -> None:
        self.visit("/sign-in/")
        self.page.get_by_label("Username").fill(self.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("navigation", name="Studio")).to_be_visible()

    def visit(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def choose(self, field: str, value: str) -> None:
        """Pick a card."""
        self.page.locator(f"label:has(input[name='{field}'][value='{value}'])").click()

    def fill(self, field: str, value: str) -> None:
        self.page.locator(f"[name='{field}']").fill(value)

    def next(self, step: str) -> None:
        """Press Next and arrive at `step`."""
        self.page.get_by_role("button", name="Next").click()
        self.page.wait_for_url(f"**/{step}/")

    def begin(self, endpoint: str, *, deployment: str = "blue") -> None:
        """The first step, for a new endpoint."""
        self.visit("/deploy/new/")
        self.choose("endpoint-target", "new")
        self.fill("endpoint-name", endpoint)
        self.fill("endpoint-deployment", deployment)
        self.next("model")

    def without_model(self) -> None:
        self.choose("model-source", "none")
        self.next("environment")

    def with_conda(self, conda: str, *, name: str, script: str = "") -> None:
        """The third step: packages as text, and the starter script or another."""
        self.choose("environment-environment", "conda")
        self.fill("environment-conda", conda)
        self.fill("environment-name", name)
        if script:
            self.fill("environment-script", script)
        self.next("compute")

    def create(self) -> None:
        """From the compute step to a deployment that is ready."""
        self.next("traffic")
        self.next("review")
        self.page.get_by_role("button", name="Create").click()
        self.page.wait_for_url("**/deployments/**")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        expect(self.page.locator(".timeline [data-state='Succeeded']")).to_have_count(5, timeout=READY_WITHIN_MS)

    def send(self, body: str) -> None:
        """One call from the test panel that is open."""
        before = self.page.locator("[data-call]").count()
        self.fill("body", body)
        self.page.get_by_role("button", name="Send", exact=True).click()
        expect(self.page.locator("[data-call]")).to_have_count(before + 1)
