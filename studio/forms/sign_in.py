"""Signing in with name and password; a name that was guessed at too often waits before it is even looked at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone

from studio.access.doors import origin_of
from studio.access.throttle import seconds_to_wait

WRONG = "No such user name with this password. Mind upper and lower case."


class SignInForm(AuthenticationForm):
    """`wait_s` is how long this name has to wait; 0 where it need not."""

    error_messages = {**AuthenticationForm.error_messages, "invalid_login": WRONG}
    wait_s = 0

    def clean(self) -> dict[str, Any]:
        if self.request is None:
            return super().clean()
        address = origin_of(self.request).address
        self.wait_s = seconds_to_wait(str(self.cleaned_data.get("username", "")), address, now=timezone.now())
        if self.wait_s:
            raise forms.ValidationError(f"Too many wrong passwords. Try again in {_words(self.wait_s)}.")
        return super().clean()


def _words(seconds: int) -> str:
    minutes = -(-seconds // 60)
    if seconds <= 60:
        return f"{seconds} seconds" if seconds > 1 else "a second"
    return f"{minutes} minutes"
