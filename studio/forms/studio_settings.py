"""The form of the studio's settings: a number or a tick a setting. Bounds and rights stand in the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from endpoints.selectors import SettingState
from studio.forms.fields import SlimForm


class SettingsForm(SlimForm):
    """One field a setting, named as the setting; those the person may not change are shown disabled."""

    note = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"placeholder": "Why, for the history", "autocomplete": "off"})
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        states: Sequence[SettingState],
        writable: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(data)
        for state in states:
            one = state.setting
            field = self._flag(state) if one.is_flag else self._number(state)
            field.label, field.disabled = one.title, one.name not in writable
            self.fields[one.name] = field

    @staticmethod
    def _flag(state: SettingState) -> forms.Field:
        return forms.BooleanField(required=False, initial=bool(state.value), show_hidden_initial=True)

    @staticmethod
    def _number(state: SettingState) -> forms.Field:
        one = state.setting
        return forms.IntegerField(
            min_value=one.minimum,
            max_value=one.maximum,
            initial=state.value,
            show_hidden_initial=True,
            widget=forms.NumberInput(attrs={"aria-label": one.title}),
        )

    def changed(self) -> dict[str, int | None]:
        """Those that were changed: what somebody else saved meanwhile stays."""
        return {name: int(self.cleaned_data[name]) for name in self.changed_data if name != "note"}
