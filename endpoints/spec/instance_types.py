"""The built-in instance types: Azure's VM names and what they stand for (contract B3), as data.

Admins may add others in the studio; this table knows only what comes with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstanceSize:
    """One type. `gpus` may be a fraction; `is_exempt` ones skip the 20 % reservation."""

    name: str
    family: str
    cores: int
    memory_gib: float
    gpus: float = 0
    gpu_model: str = ""
    is_exempt: bool = False


def _scaled(family: str, pattern: str, core_counts: tuple[int, ...], gib_per_core: int) -> Iterator[InstanceSize]:
    for cores in core_counts:
        yield InstanceSize(f"Standard_{pattern.format(cores)}", family, cores, cores * gib_per_core)


def _sized(family: str, pattern: str, sizes: dict[int, tuple[int, float]]) -> Iterator[InstanceSize]:
    """`sizes`: number in the name -> (cores, GiB)."""
    for number, (cores, memory_gib) in sizes.items():
        yield InstanceSize(f"Standard_{pattern.format(number)}", family, cores, memory_gib)


def _with_gpus(
    family: str, gpu_model: str, sizes: dict[str, tuple[int, float, float]], *, is_exempt: bool = False
) -> Iterator[InstanceSize]:
    """`sizes`: name -> (cores, GiB, GPUs)."""
    for name, (cores, memory_gib, gpus) in sizes.items():
        yield InstanceSize(f"Standard_{name}", family, cores, memory_gib, gpus, gpu_model, is_exempt)


_D = (2, 4, 8, 16, 32, 48, 64, 96)
_L = (8, 16, 32, 48, 64, 80)

BUILTIN: tuple[InstanceSize, ...] = (
    *_sized("DSv2", "DS{}_v2", {1: (1, 3.5), 2: (2, 7), 3: (4, 14), 4: (8, 28), 5: (16, 56)}),
    *_scaled("DASv4", "D{}as_v4", _D, 4),
    *_scaled("DAv4", "D{}a_v4", _D, 4),
    *_sized(
        "ESv3",
        "E{}s_v3",
        {2: (2, 16), 4: (4, 32), 8: (8, 64), 16: (16, 128), 32: (32, 256), 48: (48, 384), 64: (64, 432)},
    ),
    *_scaled("FSv2", "F{}s_v2", (2, 4, 8, 16, 32, 48, 64, 72), 2),
    *_scaled("FXMDVS", "FX{}mds", (4, 12, 24, 36, 48), 21),
    *_scaled("LASv3", "L{}as_v3", _L, 8),
    *_scaled("LSv2", "L{}s_v2", _L, 8),
    *_scaled("LSv3", "L{}s_v3", _L, 8),
    *_with_gpus(
        "NCADSA100v4",
        "A100 80 GB",
        {"NC24ads_A100_v4": (24, 220, 1), "NC48ads_A100_v4": (48, 440, 2), "NC96ads_A100_v4": (96, 880, 4)},
        is_exempt=True,
    ),
    *_with_gpus(
        "NCASv3_T4",
        "T4 16 GB",
        {
            "NC4as_T4_v3": (4, 28, 1),
            "NC8as_T4_v3": (8, 56, 1),
            "NC16as_T4_v3": (16, 110, 1),
            "NC64as_T4_v3": (64, 440, 4),
        },
    ),
    *_with_gpus("NCSv2", "P100 16 GB", {"NC6s_v2": (6, 112, 1), "NC12s_v2": (12, 224, 2), "NC24s_v2": (24, 448, 4)}),
    *_with_gpus("NCSv3", "V100 16 GB", {"NC6s_v3": (6, 112, 1), "NC12s_v3": (12, 224, 2), "NC24s_v3": (24, 448, 4)}),
    *_with_gpus(
        "NCADSH100v5",
        "H100 94 GB",
        {"NC40ads_H100_v5": (40, 320, 1), "NC80adis_H100_v5": (80, 640, 2)},
        is_exempt=True,
    ),
    *_with_gpus("NDAMSv4_A100", "A100 80 GB", {"ND96amsr_A100_v4": (96, 1900, 8)}, is_exempt=True),
    *_with_gpus("NDASv4_A100", "A100 40 GB", {"ND96asr_v4": (96, 900, 8)}, is_exempt=True),
    *_with_gpus("NDSv2", "V100 32 GB", {"ND40rs_v2": (40, 672, 8)}, is_exempt=True),
    *_with_gpus(
        "NDv5H100", "H100 80 GB", {"ND96is_H100_v5": (96, 1900, 8), "ND96isr_H100_v5": (96, 1900, 8)}, is_exempt=True
    ),
    *_with_gpus(
        "NVADSA10v5",
        "A10 24 GB",
        {
            "NV6ads_A10_v5": (6, 55, 1 / 6),
            "NV12ads_A10_v5": (12, 110, 1 / 3),
            "NV18ads_A10_v5": (18, 220, 1 / 2),
            "NV36ads_A10_v5": (36, 440, 1),
            "NV36adms_A10_v5": (36, 880, 1),
            "NV72ads_A10_v5": (72, 880, 2),
        },
    ),
)

_BY_NAME = {size.name.lower(): size for size in BUILTIN}


def find_instance_type(name: str) -> InstanceSize | None:
    """The type of that name, whatever its case; None where it is not built in."""
    return _BY_NAME.get(name.strip().lower())


def nearest_instance_type(name: str) -> str | None:
    """The built-in name most like `name`, for a hint."""
    near = difflib.get_close_matches(name.strip().lower(), _BY_NAME, n=1, cutoff=0.6)
    return _BY_NAME[near[0]].name if near else None
