"""Making an API token."""

from __future__ import annotations

from datetime import timedelta

from django import forms

from studio.forms.fields import SlimForm

LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked"))


class TokenForm(SlimForm):
    name = forms.CharField(
        max_length=64,
        help_text="What it is for, so that you know it again.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "placeholder": "CI of the risk team"}),
    )
    days = forms.ChoiceField(label="Works for", choices=LIFETIMES, initial="90", required=False)

    def lifetime(self) -> timedelta | None:
        """None: until revoked."""
        days = self.cleaned_data["days"]
        return timedelta(days=int(days)) if days else None
