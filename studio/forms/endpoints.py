"""Forms about endpoints: making one, its words, its split. The rules stand in the services; these only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from endpoints.spec.errors import SlipwayError
from studio.forms.fields import SlimForm, TagsField

USUAL_MIRROR_PERCENT = 10
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
    """A percentage per deployment, in fields named `share-<deployment>`; at most one deployment mirrored to."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        deployments: Sequence[str],
        traffic: Mapping[str, int],
        mirror_traffic: Mapping[str, int],
    ) -> None:
        super().__init__(data)
        self.deployments = tuple(deployments)
        shadow, percent = next(((name, share) for name, share in mirror_traffic.items() if share), ("", None))
        self.fields["mirror"] = forms.ChoiceField(
            label="Mirror to",
            choices=[("", "No deployment"), *((name, name) for name in self.deployments)],
            initial=shadow,
            required=False,
        )
        self.fields["mirror-percent"] = forms.IntegerField(
            label="Mirrored percent",
            min_value=1,
            max_value=100,
            initial=percent or USUAL_MIRROR_PERCENT,
            required=False,
        )
        for name in self.deployments:
            self.fields[f"share-{name}"] = forms.IntegerField(
                label=name, min_value=0, max_value=100, initial=traffic.get(name, 0), required=False
            )

    def shares(self) -> dict[str, int]:
        """What was asked for; an empty field is 0."""
        return {name: self.cleaned_data[f"share-{name}"] or 0 for name in self.deployments}

    def mirrored(self) -> dict[str, int]:
        """The shadow and its percentage; empty where there is to be none."""
        percent = self.cleaned_data["mirror-percent"] or USUAL_MIRROR_PERCENT
        return {self.cleaned_data["mirror"]: percent} if self.cleaned_data["mirror"] else {}

    def share_fields(self) -> list[forms.BoundField]:
        return [self[f"share-{name}"] for name in self.deployments]

    def mirror_fields(self) -> list[forms.BoundField]:
        return [self["mirror"], self["mirror-percent"]]


class LinesField(forms.CharField):
    """A list, one item a line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class GatewayForm(SlimForm):
    """`gateway_settings` of an endpoint's document, flat."""

    cors_origins = LinesField(
        label="Pages that may call it",
        required=False,
        help_text="Origins of web pages, one a line: https://app.example.org, or * for every page. "
        "Empty: no page of a browser may.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    key_kind = forms.ChoiceField(
        label="Keep a caller at one deployment",
        choices=(("", "No, split every request"), ("header", "By a header"), ("json", "By a field of the JSON body")),
        required=False,
    )
    key_name = forms.CharField(
        label="Header or field",
        required=False,
        help_text="x-user-id, or user.id within the body.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    requests_per_second = forms.IntegerField(
        min_value=0, required=False, help_text="Beyond it callers get 429. 0: no limit."
    )
    bytes_per_second = forms.IntegerField(
        label="Bytes a second",
        min_value=0,
        required=False,
        help_text="Of requests and answers together. Beyond it they are slowed down. 0: no limit.",
    )
    max_payload_bytes = forms.IntegerField(
        label="Largest request in bytes",
        min_value=1,
        required=False,
        help_text="100 MiB, 104857600, where it is empty.",
    )

    @classmethod
    def showing(cls, settings: Mapping[str, Any]) -> GatewayForm:
        """The form with what is set now."""
        kind, name = next(iter((settings.get("traffic_key") or {}).items()), ("", ""))
        return cls(initial={**settings, "key_kind": kind, "key_name": name})

    def settings(self) -> dict[str, object]:
        """What was asked for, as the document has it."""
        asked = self.cleaned_data
        return {
            "cors_origins": asked["cors_origins"],
            **({"traffic_key": {asked["key_kind"]: asked["key_name"]}} if asked["key_kind"] else {}),
            "requests_per_second": asked["requests_per_second"] or 0,
            "bytes_per_second": asked["bytes_per_second"] or 0,
            **({"max_payload_bytes": asked["max_payload_bytes"]} if asked["max_payload_bytes"] else {}),
        }

    def add_refusal(self, error: SlipwayError) -> None:
        """Each detail at the field it is about: the document has them one level deeper."""
        for detail in error.details:
            path = detail.field.removeprefix("gateway_settings.").partition("[")[0]
            name = "key_name" if path.startswith("traffic_key") else path
            self.add_error(name if name in self.fields else None, detail.message)
        if not error.details:
            self.add_error(None, error.message)
