"""Forms about deployments that exist."""

from __future__ import annotations

from django import forms

from studio.forms.fields import SlimForm


class DeploymentGatewayForm(SlimForm):
    retry = forms.BooleanField(
        label="Try once more on another instance",
        required=False,
        help_text="When a connection is refused, or breaks before the first byte of an answer. "
        "Turn it off where a request must never reach the model twice.",
    )


class ScaleForm(SlimForm):
    instance_count = forms.IntegerField(
        label="Instances",
        min_value=1,
        help_text="Three or more survive the loss of one.",
        widget=forms.NumberInput(attrs={"autofocus": True}),
    )
