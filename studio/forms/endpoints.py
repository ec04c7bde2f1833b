"""Forms about endpoints: making one, its words, its split. The rules stand in the services; these only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from studio.forms.fields import SlimForm, TagsField

AUTH_MODES = (("key", "Key"), ("aml_token", "Token of this studio"), ("aad_token", "Token of an identity provider"))


class EndpointForm(SlimForm):
    name = forms.CharField(
        max_length=32,
        help_text="3 to 32 letters, digits and single dashes; begins with a letter. It becomes part of the URL.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "placeholder": "diabetes-risk"}),
    )
    auth_mode = forms.ChoiceField(label="Authentication", choices=AUTH_MODES, initial="key")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = TagsField()


class TrafficForm(SlimForm):
    """A percentage per deployment, in fields named `share-<deployment>`."""

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, deployments: Sequence[str], traffic: Mapping[str, int]
    ) -> None:
        super().__init__(data)
        self.deployments = tuple(deployments)
        for name in self.deployments:
            self.fields[f"share-{name}"] = forms.IntegerField(
                label=name, min_value=0, max_value=100, initial=traffic.get(name, 0), required=False
            )

    def shares(self) -> dict[str, int]:
        """What was asked for; an empty field is 0."""
        return {name: self.cleaned_data[f"share-{name}"] or 0 for name in self.deployments}
