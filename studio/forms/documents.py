"""A document edited as YAML text: first looked at, then applied."""

from __future__ import annotations

import hashlib
import hmac

from django import forms
from django.http import QueryDict

from studio.forms.fields import SlimForm


class YamlForm(SlimForm):
    """`reviewed` tells that exactly this text, against exactly this `state` of things, has been looked at."""

    text = forms.CharField(
        label="Document",
        strip=False,
        widget=forms.Textarea(attrs={"rows": 26, "spellcheck": "false", "autocapitalize": "off", "autofocus": True}),
    )
    reviewed = forms.CharField(required=False, widget=forms.HiddenInput())

    def is_reviewed(self, state: str) -> bool:
        return hmac.compare_digest(self.cleaned_data["reviewed"], _mark(self.cleaned_data["text"], state))

    def set_reviewed(self, state: str) -> None:
        """The next time this text comes it is to be applied."""
        data = QueryDict(mutable=True)
        data.update({"text": self.cleaned_data["text"], "reviewed": _mark(self.cleaned_data["text"], state)})
        self.data = data


def _mark(text: str, state: str) -> str:
    return hashlib.sha256(f"{state}\n{text}".encode()).hexdigest()
