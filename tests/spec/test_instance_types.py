"""The table of instance types."""

from __future__ import annotations

import pytest

from endpoints.spec.instance_types import BUILTIN, find_instance_type, nearest_instance_type

EXEMPT = {"NCADSA100v4", "NCADSH100v5", "NDAMSv4_A100", "NDASv4_A100", "NDSv2", "NDv5H100"}


@pytest.mark.parametrize(
    ("name", "cores", "memory_gib", "gpus"),
    [
        ("Standard_DS3_v2", 4, 14, 0),
        ("STANDARD_F4S_V2", 4, 8, 0),
        ("standard_e64s_v3", 64, 432, 0),
        ("Standard_D16as_v4", 16, 64, 0),
        ("Standard_FX4mds", 4, 84, 0),
        ("Standard_NC64as_T4_v3", 64, 440, 4),
        ("Standard_ND96amsr_A100_v4", 96, 1900, 8),
        ("Standard_NV6ads_A10_v5", 6, 55, 1 / 6),
    ],
)
def test_sizes_are_found_whatever_the_case(name: str, cores: int, memory_gib: float, gpus: float):
    size = find_instance_type(name)
    assert size and (size.cores, size.memory_gib, size.gpus) == (cores, memory_gib, gpus)


def test_names_are_unique_whatever_the_case():
    assert len({size.name.lower() for size in BUILTIN}) == len(BUILTIN)


def test_only_the_large_gpu_families_skip_the_reservation():
    assert {size.family for size in BUILTIN if size.is_exempt} == EXEMPT
    assert all(size.is_exempt == (size.family in EXEMPT) for size in BUILTIN)


def test_an_unknown_name_has_a_nearest_one():
    assert find_instance_type("Standard_DS3") is None
    assert nearest_instance_type("Standard_DS3v2") == "Standard_DS3_v2"
    assert nearest_instance_type("zzz") is None
