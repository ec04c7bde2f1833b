"""The arithmetic of quota (contract B2). Pure; who uses how much is for the caller to know."""

from __future__ import annotations

from endpoints.spec.errors import FieldError, OutOfQuota
from endpoints.spec.instance_types import InstanceSize


def reserved_instances(instance_count: int, *, is_exempt: bool) -> int:
    """How many instances are counted: one in five more, rounded up, for upgrades, unless the type is exempt."""
    return instance_count if is_exempt else -(-12 * instance_count // 10)


def needed_cores(instance_count: int, *, cores: int, is_exempt: bool) -> int:
    """10 instances of 4 cores take 12 x 4 = 48."""
    return reserved_instances(instance_count, is_exempt=is_exempt) * cores


def most_instances(free_cores: int, *, cores: int, is_exempt: bool) -> int:
    """The largest count that fits into `free_cores`."""
    slots = max(free_cores, 0) // cores
    return slots if is_exempt else slots * 10 // 12


def require_quota(size: InstanceSize, instance_count: int, *, limit_cores: int, used_cores: int) -> int:
    """The cores the deployment takes. Raises OutOfQuota, spelling out the sum and what would fit.

    used_cores: what all other deployments of the family take.
    """
    needed = needed_cores(instance_count, cores=size.cores, is_exempt=size.is_exempt)
    if used_cores + needed <= limit_cores:
        return needed
    counted = reserved_instances(instance_count, is_exempt=size.is_exempt)
    reserve = "" if counted == instance_count else " (20 % are kept free for upgrades)"
    fits = most_instances(limit_cores - used_cores, cores=size.cores, is_exempt=size.is_exempt)
    advice = f"{fits} would fit" if fits else "none would fit"
    message = (
        f"Not enough quota for the {size.family} family: {instance_count} x {size.name} takes"
        f" {counted} x {size.cores} = {needed} cores{reserve}, but only {max(limit_cores - used_cores, 0)} of"
        f" {limit_cores} are free; {advice}. Lower instance_count, free cores by deleting deployments,"
        " or ask an admin to raise the limit."
    )
    raise OutOfQuota(message, details=[FieldError("instance_count", message)])
