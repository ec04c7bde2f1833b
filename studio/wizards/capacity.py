"""Which instance types a person may choose, why not the others, and whether a count fits into quota."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import psutil

from endpoints import selectors
from endpoints.models import InstanceType
from endpoints.selectors.compute import FamilyUsage, size_of
from endpoints.spec.deployment_document import RECOMMENDED_INSTANCE_TYPE
from endpoints.spec.errors import Forbidden
from endpoints.spec.instance_types import InstanceSize
from endpoints.spec.quota import most_instances, needed_cores, reserved_instances
from studio.access.models import User

# What most deployments are made of; the rest of the table is one click away.
SHORTLIST = ("Standard_F2s_v2", RECOMMENDED_INSTANCE_TYPE, "Standard_F8s_v2", "Standard_NC4as_T4_v3")
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class QuotaSum:
    """The arithmetic of contract B2 for one choice. free and limit are those of the type's family.

    pool: its shared pool's cores; longest_loan_h: hours it lends for.
    """

    family: str
    count: int
    counted: int
    cores: int
    needed: int
    free: int
    limit: int
    most: int
    pool_free: int = 0
    pool: int = 0
    longest_loan_h: int = 0

    @property
    def pool_fits(self) -> bool:
        return self.needed <= self.pool_free

    @property
    def fits(self) -> bool:
        return self.needed <= self.free


@dataclass(frozen=True, slots=True)
class SizeOption:
    """One instance type as a card. refusal: why it cannot be chosen here, "" where it can."""

    size: InstanceSize
    price: Decimal | None
    refusal: str
    is_clipped: bool

    @property
    def name(self) -> str:
        return self.size.name

    @property
    def words(self) -> str:
        """Cores, memory and GPUs, as the card says them."""
        size = self.size
        parts = [f"{size.cores} core{'' if size.cores == 1 else 's'}", f"{size.memory_gib:g} GiB"]
        if size.gpus:
            parts.append(f"{_fraction(size.gpus)} \N{MULTIPLICATION SIGN} {size.gpu_model}")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Capacity:
    """options: every type, the shortlist first. families: quota by family, empty for who may not read it."""

    options: tuple[SizeOption, ...]
    families: dict[str, FamilyUsage] = field(default_factory=dict)
    host_cores: int = 0
    host_memory_gib: float = 0
    longest_loan_h: int = 0

    @property
    def shortlist(self) -> list[SizeOption]:
        return [option for option in self.options if option.name in SHORTLIST]

    @property
    def others(self) -> list[SizeOption]:
        return [option for option in self.options if option.name not in SHORTLIST]

    @property
    def recommended(self) -> str:
        """The recommended type, or the first that can be chosen where an admin removed it."""
        able = [option.name for option in self.options if not option.refusal]
        return RECOMMENDED_INSTANCE_TYPE if RECOMMENDED_INSTANCE_TYPE in able else next(iter(able), "")

    def option(self, name: str) -> SizeOption | None:
        return next((option for option in self.options if option.name.lower() == name.lower()), None)

    def check(self, option: SizeOption, count: int) -> QuotaSum | None:
        """What `count` instances take and what is free; None for who may not read quota."""
        size, usage = option.size, self.families.get(option.size.family)
        if usage is None:
            return None
        return QuotaSum(
            family=size.family,
            count=count,
            counted=reserved_instances(count, is_exempt=size.is_exempt),
            cores=size.cores,
            needed=needed_cores(count, cores=size.cores, is_exempt=size.is_exempt),
            free=usage.free_cores,
            limit=usage.limit_cores,
            most=most_instances(usage.free_cores, cores=size.cores, is_exempt=size.is_exempt),
            pool_free=usage.pool_free_cores,
            pool=usage.pool_cores,
            longest_loan_h=self.longest_loan_h,
        )


def capacity_of(user: User) -> Capacity:
    """What this studio has to offer to `user` now."""
    host_cores, host_memory_gib = psutil.cpu_count() or 1, psutil.virtual_memory().total / _GIB
    has_gpu = has_nvidia_gpu()
    rows, is_reserving = selectors.instance_types(user), selectors.has_reservation()
    options = [
        _option(row, size_of(row, is_reserving=is_reserving), has_gpu, host_cores, host_memory_gib) for row in rows
    ]
    options.sort(key=lambda option: SHORTLIST.index(option.name) if option.name in SHORTLIST else len(SHORTLIST))
    try:
        families = {usage.family: usage for usage in selectors.quota_usage(user)}
    except Forbidden:
        families = {}
    longest = selectors.setting("pool_longest_loan_h")
    return Capacity(tuple(options), families, host_cores, host_memory_gib, longest)


def has_nvidia_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether the driver has made a device for at least one GPU."""
    return any(devices.glob("nvidia[0-9]*"))


def _option(
    row: InstanceType, size: InstanceSize, has_gpu: bool, host_cores: int, host_memory_gib: float
) -> SizeOption:
    return SizeOption(
        size=size,
        price=row.price_per_hour.normalize() if row.price_per_hour is not None else None,
        refusal="No GPU on this host" if size.gpus and not has_gpu else "",
        is_clipped=size.cores > host_cores or size.memory_gib > host_memory_gib,
    )


def _fraction(gpus: float) -> str:
    """1 -> "1", 0.333 -> "1/3"."""
    return f"{gpus:g}" if gpus >= 1 else f"1/{round(1 / gpus)}"
