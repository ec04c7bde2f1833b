"""Sign-ins and sign-outs, kept with what people did. Listens to Django's own signals; it lets nobody in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from studio.access import audit
from studio.access.models import User


@receiver(user_logged_in, dispatch_uid="access.signed-in")
def _signed_in(user: User, **_: Any) -> None:
    audit.record(user, audit.SIGN_IN, summary="Sign in")


@receiver(user_logged_out, dispatch_uid="access.signed-out")
def _signed_out(user: User | None, **_: Any) -> None:
    if user is not None:
        audit.record(user, audit.SIGN_OUT, summary="Sign out")


@receiver(user_login_failed, dispatch_uid="access.not-signed-in")
def _not_signed_in(credentials: Mapping[str, Any], **_: Any) -> None:
    """The name that was tried is kept: it tells a guess from a slip of the hand. What was typed as password is not."""
    tried = str(credentials.get("username", ""))[:150]
    audit.record(None, audit.SIGN_IN_FAILED, target=f"user {tried}", summary="Wrong name or password", is_refused=True)
