"""First step: which endpoint, and the deployment's name."""

from __future__ import annotations

from dataclasses import replace

from django import forms

from endpoints import selectors
from endpoints.models import OnlineEndpoint
from endpoints.spec.errors import SlipwayError
from endpoints.spec.names import deployment_name_problem, endpoint_name_problem
from studio.access import actions
from studio.access.policy import grants_of
from studio.wizards.answers import Answers, EndpointAnswer
from studio.wizards.steps.base import Step

_COLOURS = ("blue", "green", "amber", "violet", "rose")


class EndpointStep(Step):
    target = forms.ChoiceField(
        label="Endpoint", choices=[("new", "A new endpoint"), ("existing", "An endpoint there is")], initial="new"
    )
    existing = forms.ChoiceField(label="Endpoint to add to", required=False)
    name = forms.CharField(
        label="Endpoint name",
        required=False,
        strip=True,
        help_text="Part of the URL. 3 to 32 letters, digits and dashes, beginning with a letter.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    auth_mode = forms.ChoiceField(
        label="Callers prove themselves by",
        required=False,
        choices=[
            ("key", "Key: two keys that never expire"),
            ("aml_token", "Token of this studio: expires, is renewed"),
            ("aad_token", "Token of your identity provider"),
        ],
        initial="key",
    )
    description = forms.CharField(label="Description", required=False, max_length=2000)
    deployment = forms.CharField(
        label="Deployment name",
        help_text="The version behind the endpoint; callers may name it in a header.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def prepare(self) -> None:
        grants = grants_of(self.user)
        self.can_create = grants.allows(actions.ENDPOINTS_WRITE)
        self.open_endpoints: dict[str, OnlineEndpoint] = {
            endpoint.name: endpoint
            for endpoint in selectors.endpoints_for(self.user).order_by("name")
            if not endpoint.deletion_requested_at and grants.allows(actions.DEPLOYMENTS_WRITE, endpoint.name)
        }
        self.choose("existing", [(name, name) for name in self.open_endpoints])
        wish = self.wish.get("endpoint", "")
        if wish in self.open_endpoints:
            self.suggest(target="existing", existing=wish)
        if not self.can_create:
            self.choose("target", [("existing", "An endpoint there is")])
            self.suggest(target="existing")
        elif not self.open_endpoints:
            self.choose("target", [("new", "A new endpoint")])
        self.suggest(deployment=self._free_name(str(self.initial.get("existing", ""))))

    def clean(self) -> None:
        if self.cleaned_data.get("target") == "existing":
            self.require("existing", "Choose an endpoint, or make a new one.")
        elif name := self.require("name", "Give the endpoint a name."):
            self._check_new(name)
        self._check_deployment()

    def extend(self, so_far: Answers) -> Answers:
        is_new = self.cleaned_data["target"] == "new"
        existing = self.open_endpoints.get(self.text("existing"))
        if is_new or existing is None:
            answer = EndpointAnswer(
                name=self.text("name").lower(),
                is_new=True,
                auth_mode=self.text("auth_mode") or "key",
                deployment=self.text("deployment").lower(),
                description=self.text("description"),
            )
        else:
            answer = EndpointAnswer(existing.name, False, existing.auth_mode, self.text("deployment").lower())
        return replace(so_far, endpoint=answer)

    def _check_new(self, name: str) -> None:
        if message := endpoint_name_problem(name):
            self.refuse("name", message)
        elif selectors.endpoints_for(self.user).filter(name=name.lower()).exists():
            self.refuse("name", f"There is an endpoint {name.lower()!r} already. Add to it, or choose another name.")

    def _check_deployment(self) -> None:
        name = self.text("deployment")
        if not name:
            return
        if message := deployment_name_problem(name):
            self.refuse("deployment", message)
            return
        endpoint = self.text("existing")
        if self.cleaned_data.get("target") == "existing" and name.lower() in self._deployments(endpoint):
            self.refuse("deployment", f"{endpoint} has a deployment {name!r} already. Choose another name.")

    def _free_name(self, endpoint: str) -> str:
        taken = self._deployments(endpoint)
        return next((colour for colour in _COLOURS if colour not in taken), f"v{len(taken) + 1}00"[:32])

    def _deployments(self, endpoint: str) -> set[str]:
        if endpoint not in self.open_endpoints:
            return set()
        try:
            return {row.name for row in selectors.deployments_of(self.user, endpoint)}
        except SlipwayError:
            return set()
