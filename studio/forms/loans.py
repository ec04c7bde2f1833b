"""Forms about loans of the shared pool. The rules stand in the services."""

from __future__ import annotations

from django import forms

from studio.forms.fields import SlimForm


class StartForm(SlimForm):
    shared_pool_hours = forms.IntegerField(
        label="Hours on the shared pool",
        min_value=0,
        initial=0,
        help_text="0 starts it on its family's limit. More borrows the cores for so long, where the limit has no room.",
    )


class ExtendForm(SlimForm):
    hours = forms.IntegerField(label="Hours longer", min_value=1, initial=1)
