"""Accounts: invited by a link that works once or with a first password, deactivated, let in again."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import Invitation, User
from studio.access.policy import grants_of, require
from studio.access.programs import PROGRAMS

INVITATION_LASTS = timedelta(days=7)


def people_for(user: User) -> QuerySet[User]:
    """Everybody with an account, by name, with groups and assignments."""
    require(user, actions.ROLES_READ)
    rows = (
        User.objects.exclude(username__in=PROGRAMS)
        .select_related("invitation")
        .prefetch_related("groups", "assignments__role")
    )
    return rows.order_by("-is_active", "username")


def get_person(user: User, username: str) -> User:
    """One of them."""
    row = people_for(user).filter(username=username).first()
    if row is None:
        raise NotFound(f"There is no person named {username!r}.")
    return row


def invite(actor: User, *, username: str, email: str = "", password: str = "") -> tuple[User, str]:
    """A new account without any role, and the secret of its link; "" where a first password was given."""
    require(actor, actions.ROLES_WRITE)
    person = User(username=username.strip(), email=email.strip())
    problems = _problems(person, password)
    if problems:
        raise Invalid(problems[0].message, details=problems)
    with transaction.atomic():
        if User.objects.filter(username__iexact=person.username).exists():
            message = f"There is a person named {person.username!r} already."
            raise Conflict(message, details=[FieldError("username", message)])
        person.set_password(password or None)
        person.save()
        secret = "" if password else _make_link(person)
        _record(actor, person, "Invite, with a first password" if password else "Invite by a link")
    return person, secret


def _problems(person: User, password: str) -> list[FieldError]:
    checks = [("username", lambda: User.username_validator(person.username))]
    if not person.username or len(person.username) > 150:
        return [FieldError("username", "Give a name of 1 to 150 characters.")]
    if person.email:
        checks.append(("email", lambda: validate_email(person.email)))
    if password:
        checks.append(("password", lambda: validate_password(password, person)))
    problems = []
    for field, check in checks:
        try:
            check()  # type: ignore[no-untyped-call]  # Django has it untyped
        except ValidationError as refusal:
            problems += [FieldError(field, message) for message in refusal.messages]
    return problems


def renew_invitation(actor: User, *, username: str) -> str:
    """Another link for somebody who has not chosen a password yet; the one before stops working."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        person = _locked(username)
        if person.has_usable_password() or not person.is_active:
            raise Conflict(f"{username} has no open invitation.")
        _record(actor, person, "Invite again")
        return _make_link(person)


def _make_link(person: User) -> str:
    secret = secrets.token_urlsafe(32)
    values = {"digest": _digest(secret), "expires_at": timezone.now() + INVITATION_LASTS}
    Invitation.objects.update_or_create(user=person, defaults=values)
    return secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def invited_by(secret: str, *, now: datetime | None = None) -> User:
    """Whose account the link opens. NotFound for a link that was used, has expired or never was."""
    moment = now or timezone.now()
    rows = Invitation.objects.select_related("user").filter(expires_at__gt=moment, user__is_active=True)
    row = rows.filter(digest=_digest(secret)).first()
    if row is None:
        raise NotFound("This invitation was used already or has expired. Ask for another one.")
    return row.user


def accept_invitation(secret: str, *, password: str) -> User:
    """Choose the password; the link is used up."""
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=invited_by(secret).pk)
        if not Invitation.objects.filter(user=person, digest=_digest(secret)).delete()[0]:
            raise NotFound("This invitation was used already.")
        try:
            validate_password(password, person)
        except ValidationError as refusal:
            details = [FieldError("password", message) for message in refusal.messages]
            raise Invalid(refusal.messages[0], details=details) from refusal
        person.set_password(password)
        person.save(update_fields=["password"])
        _record(person, person, "Accept the invitation")
    return person


def deactivate(actor: User, *, username: str) -> User:
    """Shut somebody out at once: pages, tokens, open invitations. What they made stays."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        person = _locked(username)
        if person.pk == actor.pk:
            raise Conflict("You cannot deactivate yourself; ask another owner.")
        if person.is_superuser and not actor.is_superuser:
            raise Conflict(f"{username} runs this studio; only an administrator may shut them out.")
        person.is_active = False
        person.save(update_fields=["is_active"])
        Invitation.objects.filter(user=person).delete()
        require_an_owner_left()
        _record(actor, person, "Deactivate")
    return person


def reactivate(actor: User, *, username: str) -> User:
    """Let somebody in again, with the roles they had."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        person = _locked(username)
        person.is_active = True
        person.save(update_fields=["is_active"])
        _record(actor, person, "Activate")
    return person


def require_an_owner_left() -> None:
    """Raise Conflict where nobody would be left who may give roles. Call it after the change, in its transaction."""
    people = User.objects.filter(is_active=True)
    if people.filter(is_superuser=True).exists():
        return
    if not any(grants_of(person).allows(actions.ROLES_WRITE) for person in people):
        raise Conflict("Then nobody could give roles any more. Make somebody else an owner first.")


def _locked(username: str) -> User:
    person = User.objects.select_for_update().filter(username=username).first()
    if person is None:
        raise NotFound(f"There is no person named {username!r}.")
    return person


def _record(actor: User, person: User, summary: str) -> None:
    audit.record(actor, actions.ROLES_WRITE, target=f"user {person.username}", summary=summary)
