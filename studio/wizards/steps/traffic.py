"""Fifth step: how much of the endpoint's live traffic the new deployment gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django import forms

from endpoints import selectors
from endpoints.spec.errors import SlipwayError
from endpoints.spec.shares import with_share
from studio.access import actions
from studio.access.policy import is_allowed
from studio.wizards.answers import Answers, TrafficAnswer
from studio.wizards.shares import shares_of
from studio.wizards.steps.base import Step


class TrafficStep(Step):
    share = forms.ChoiceField(
        label="Live traffic for this deployment", choices=[("none", ""), ("part", ""), ("all", "")]
    )
    percent = forms.IntegerField(
        label="Percent",
        required=False,
        min_value=1,
        max_value=99,
        initial=10,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def prepare(self) -> None:
        self.current = self._current()
        self.has_live_traffic = sum(self.current.values()) == 100
        self.may_set = self._may_set_traffic()
        choices = [("none", "None yet: 0 %")]
        if self.may_set:
            part = [("part", "A part of it")] if self.has_live_traffic else []
            choices += [*part, ("all", "All: 100 %")]
        self.choose("share", choices)
        self.shares = shares_of(self.user, endpoint.name, self.current) if (endpoint := self.so_far.endpoint) else []
        self.suggest(share="none" if self.has_live_traffic or not self.may_set else "all")

    def clean(self) -> None:
        is_missing = self.cleaned_data.get("percent") is None and "percent" not in self.errors
        if self.cleaned_data.get("share") == "part" and is_missing:
            self.refuse("percent", "Give a whole number from 1 to 99.")
        elif self.cleaned_data.get("share") != "part":
            self.errors.pop("percent", None)  # what nobody asked for cannot be wrong

    def extend(self, so_far: Answers) -> Answers:
        return replace(so_far, traffic=self.answer())

    def answer(self) -> TrafficAnswer:
        """The split after the change; none asked for leaves the endpoint's split alone."""
        name = self.so_far.endpoint.deployment if self.so_far.endpoint else ""
        share = self.cleaned_data["share"]
        if share == "none":
            return TrafficAnswer(traffic=None, percent=0)
        percent = 100 if share == "all" else int(self.cleaned_data["percent"])
        return TrafficAnswer(traffic=with_share(self.current, name, percent), percent=percent)

    def _may_set_traffic(self) -> bool:
        """The split is the endpoint's, so it needs more than the right to deploy."""
        endpoint = self.so_far.endpoint
        return endpoint is not None and is_allowed(self.user, actions.ENDPOINTS_WRITE, endpoint.name)

    def _current(self) -> Mapping[str, int]:
        endpoint = self.so_far.endpoint
        if endpoint is None or endpoint.is_new:
            return {}
        try:
            return dict(selectors.get_endpoint(self.user, endpoint.name).traffic)
        except SlipwayError:
            return {}
