"""The arithmetic of quota."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.spec.errors import OutOfQuota
from endpoints.spec.instance_types import InstanceSize
from endpoints.spec.quota import most_instances, needed_cores, require_quota, reserved_instances

DS3 = InstanceSize("Standard_DS3_v2", "DSv2", cores=4, memory_gib=14)
H100 = InstanceSize("Standard_NC40ads_H100_v5", "NCADSH100v5", cores=40, memory_gib=320, is_exempt=True)


def test_azures_example_ten_of_four_cores_take_48():
    assert needed_cores(10, cores=4, is_exempt=False) == 48


def test_exempt_types_keep_nothing_free():
    assert require_quota(H100, 2, limit_cores=80, used_cores=0) == 80


@given(count=st.integers(1, 10_000))
def test_the_reservation_is_a_fifth_rounded_up(count: int):
    reserved = reserved_instances(count, is_exempt=False)
    assert reserved * 10 >= 12 * count > (reserved - 1) * 10


@given(free=st.integers(-100, 5000), cores=st.integers(1, 96), is_exempt=st.booleans())
def test_what_is_said_to_fit_fits_and_one_more_does_not(free: int, cores: int, is_exempt: bool):
    most = most_instances(free, cores=cores, is_exempt=is_exempt)
    assert needed_cores(most, cores=cores, is_exempt=is_exempt) <= max(free, 0)
    assert needed_cores(most + 1, cores=cores, is_exempt=is_exempt) > free


def test_the_refusal_spells_out_the_sum_and_what_would_fit():
    with pytest.raises(OutOfQuota) as caught:
        require_quota(DS3, 10, limit_cores=60, used_cores=20)
    assert "12 x 4 = 48 cores" in caught.value.message
    assert "only 40 of 60 are free; 8 would fit" in caught.value.message


def test_the_last_core_may_be_used():
    assert require_quota(DS3, 10, limit_cores=48, used_cores=0) == 48
