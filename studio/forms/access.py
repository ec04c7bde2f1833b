"""Forms about people, groups, roles and who holds them. The rules stand in `studio.access`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from studio.access import actions
from studio.access.models import Group, Role, User
from studio.forms.fields import SlimForm


class InviteForm(SlimForm):
    username = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    email = forms.CharField(label="E-mail", max_length=254, required=False)
    password = forms.CharField(
        label="First password",
        required=False,
        help_text="Left empty, you get a link that works once: whoever opens it chooses the password.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ChosenPasswordForm(SlimForm):
    password = forms.CharField(
        help_text="At least 10 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )
    again = forms.CharField(label="The same again", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise forms.ValidationError("This is not the same.")
        return again


class GroupForm(SlimForm):
    name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))
    people = forms.ModelMultipleChoiceField(
        User.objects.order_by("username"), required=False, widget=forms.CheckboxSelectMultiple
    )


class AssignForm(SlimForm):
    role = forms.ModelChoiceField(Role.objects.order_by("-is_builtin", "name"), to_field_name="name", empty_label=None)
    person = forms.ModelChoiceField(User.objects.order_by("username"), required=False, to_field_name="username")
    group = forms.ModelChoiceField(Group.objects.order_by("name"), required=False)
    endpoint = forms.ChoiceField(label="Where", required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, endpoints: Sequence[str]) -> None:
        super().__init__(data)
        self.fields["endpoint"] = _where(endpoints)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("person")) == bool(cleaned.get("group")) and not self.errors:
            self.add_error("person", "Choose a person or a group, one of both.")
        return cleaned


class WhyForm(SlimForm):
    person = forms.ModelChoiceField(User.objects.order_by("username"), to_field_name="username", empty_label=None)
    action = forms.ChoiceField(choices=[(action, action) for action in actions.ALL])
    endpoint = forms.ChoiceField(label="Where", required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, endpoints: Sequence[str]) -> None:
        super().__init__(data, auto_id="why_%s")  # the dialogs that open above it ask for a person too
        self.fields["endpoint"] = _where(endpoints)


def _where(endpoints: Sequence[str]) -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Where", required=False, choices=[("", "the whole workspace"), *((name, name) for name in endpoints)]
    )


class RoleForm(SlimForm):
    document = forms.CharField(
        label="Role as JSON",
        strip=False,
        max_length=100_000,
        help_text="As Azure writes it: Name, Description, Actions and NotActions with * for anything.",
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
    )

    @classmethod
    def showing(cls, document: Mapping[str, object]) -> RoleForm:
        return cls(initial={"document": json.dumps(document, indent=2)})
