"""Forms about deployments that exist."""

from __future__ import annotations

from django import forms

from studio.forms.fields import SlimForm


class ScaleForm(SlimForm):
    instance_count = forms.IntegerField(
        label="Instances",
        min_value=1,
        help_text="Three or more survive the loss of one.",
        widget=forms.NumberInput(attrs={"autofocus": True}),
    )
