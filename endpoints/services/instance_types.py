"""Instance types of the studio's own, and changes to those it came with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from endpoints.models import FamilyQuota, InstanceType
from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

MOST_CORES_OF_ONE = 4096
MOST_MEMORY_GIB = 65536.0
FIELDS = ("family", "cores", "memory_gib", "gpus", "gpu_model", "is_exempt", "price_per_hour")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def add_instance_type(actor: User, *, name: str, values: Mapping[str, object]) -> InstanceType:
    """A size of one's own. A family that is new gets the studio's usual limit."""
    require(actor, actions.QUOTA_WRITE)
    with transaction.atomic():
        if InstanceType.objects.filter(name__iexact=name).exists():
            message = f"There is an instance type {name!r} already."
            raise Conflict(message, details=[FieldError("name", message)])
        row = InstanceType(name=name)
        return _save(actor, row, values, before=None)


def change_instance_type(actor: User, *, name: str, values: Mapping[str, object]) -> InstanceType:
    """Change what a size stands for. Deployments that use it count by the new numbers at once; none restarts."""
    require(actor, actions.QUOTA_WRITE)
    with transaction.atomic():
        row = InstanceType.objects.select_for_update().filter(name__iexact=name).first()
        if row is None:
            raise NotFound(f"There is no instance type {name!r}.")
        return _save(actor, row, values, before=_values(row))


def _save(
    actor: User, row: InstanceType, values: Mapping[str, object], *, before: Mapping[str, object] | None
) -> InstanceType:
    for field in FIELDS:
        if field in values:
            setattr(row, field, values[field])
    problems = list(_problems(row))
    if problems:
        raise Invalid(f"{problems[0].field}: {problems[0].message}", details=problems)
    row.save()
    FamilyQuota.objects.get_or_create(family=row.family, defaults={"limit_cores": settings.SLIPWAY_FAMILY_CORES})
    verb = "Change" if before else "Add"
    summary, target = f"{verb} instance type {row.name}", f"instance type {row.name}"
    audit.record(actor, actions.QUOTA_WRITE, target=target, summary=summary, before=before, after=_values(row))
    return row


def _problems(row: InstanceType) -> Iterator[FieldError]:
    for field in ("name", "family"):
        if not _NAME.fullmatch(getattr(row, field)):
            yield FieldError(field, "Begin with a letter; then letters, digits, dots, dashes and underscores.")
    if not 1 <= row.cores <= MOST_CORES_OF_ONE:
        yield FieldError("cores", f"1 to {MOST_CORES_OF_ONE} cores.")
    if not 0 < row.memory_gib <= MOST_MEMORY_GIB:
        yield FieldError("memory_gib", f"More than 0 and at most {MOST_MEMORY_GIB:g} GiB.")
    if not 0 <= row.gpus <= 64:
        yield FieldError("gpus", "0 to 64; a part of one may be given, such as 0.5.")
    if row.price_per_hour is not None and row.price_per_hour < 0:
        yield FieldError("price_per_hour", "A price is 0 or more, or left out.")


def _values(row: InstanceType) -> dict[str, object]:
    values = {field: getattr(row, field) for field in FIELDS}
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in values.items()}
