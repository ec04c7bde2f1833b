"""The first start of a studio: its first person, and the token a command line on the same machine uses.

Both steps are idempotent; a second start changes nothing and tells nothing. It prints nothing.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from knox.crypto import hash_token

from endpoints.spec.errors import FieldError, Invalid
from studio.access.models import ApiToken, User
from studio.access.tokens import create_token

ADMIN = "admin"
LOCAL_CLI = "Command line on the studio's machine"


@dataclass(frozen=True, slots=True)
class Admin:
    """The first person. `password` is known only when this call made the account, else None."""

    user: User
    password: str | None

    @property
    def is_new(self) -> bool:
        return self.password is not None


def ensure_admin(*, password: str = "") -> Admin:
    """The owner of a studio that has none yet: made with `password`, or with a generated one."""
    with transaction.atomic():
        existing = User.objects.select_for_update().filter(is_superuser=True).order_by("pk").first()
        if existing:
            return Admin(existing, None)
        user = User(username=ADMIN, is_superuser=True, is_staff=True)
        chosen = password or secrets.token_urlsafe(12)
        _check_password(chosen, user)
        user.set_password(chosen)
        user.save()
    return Admin(user, chosen)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as refusal:
        raise Invalid(
            "The admin's password is refused: "
            + " ".join(refusal.messages)
            + " Set SLIPWAY_ADMIN_PASSWORD to another.",
            details=[FieldError("SLIPWAY_ADMIN_PASSWORD", message) for message in refusal.messages],
        ) from refusal


def ensure_connection(file: Path, *, url: str, user: User) -> None:
    """Write `{"url", "token"}` for the command line (mode 0600); a token there that still works is kept."""
    token = _token_in(file, user)
    if token is None:
        ApiToken.objects.filter(user=user, name=LOCAL_CLI).delete()
        _, token = create_token(user, name=LOCAL_CLI)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump({"url": url, "token": token}, out)
    draft.replace(file)


def _token_in(file: Path, user: User) -> str | None:
    try:
        token = json.loads(file.read_text(encoding="utf-8"))["token"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not isinstance(token, str) or not ApiToken.objects.filter(digest=hash_token(token), user=user).exists():
        return None
    return token
