"""One at a time, and never for long after a death."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from endpoints.control.leases import LEASE_S, LeaseLost, free_those_of_the_dead, hold
from endpoints.models import OnlineDeployment
from tests.control.conftest import Studio


def test_the_second_who_comes_gets_none(studio: Studio):
    blue = studio.deployment()
    with hold(blue.pk, studio.clock) as first, hold(blue.pk, studio.clock) as second:
        assert (first is not None, second) == (True, None)


def test_it_is_free_again_afterwards(studio: Studio):
    blue = studio.deployment()
    with hold(blue.pk, studio.clock):
        pass
    assert OnlineDeployment.objects.get().lease_owner == ""
    with hold(blue.pk, studio.clock) as lease:
        assert lease is not None


def test_who_was_overtaken_learns_it_and_leaves_the_other_in_peace(studio: Studio):
    blue = studio.deployment()
    with hold(blue.pk, studio.clock) as slow:
        studio.clock.sleep(LEASE_S + 1)
        with hold(blue.pk, studio.clock) as quick:
            assert slow is not None and quick is not None
            with pytest.raises(LeaseLost):
                slow.renew()
            slow.release()
            assert OnlineDeployment.objects.get().lease_owner == quick.owner


def test_who_renews_keeps_it(studio: Studio):
    blue = studio.deployment()
    with hold(blue.pk, studio.clock) as lease:
        assert lease is not None
        for _ in range(3):
            studio.clock.sleep(LEASE_S - 1)
            lease.renew()
        with hold(blue.pk, studio.clock) as other:
            assert other is None


def test_what_a_killed_worker_of_this_host_held_is_free_at_once(studio: Studio):
    blue = studio.deployment()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with hold(blue.pk, studio.clock) as lease:
        assert lease is not None
        alive = lease.owner
        assert free_those_of_the_dead() == 0
        dead = alive.replace(str(os.getpid()), str(ended.pid))
        OnlineDeployment.objects.update(lease_owner=dead)
        assert free_those_of_the_dead() == 1
        with hold(blue.pk, studio.clock) as another:
            assert another is not None


def test_a_lease_of_another_host_is_left_alone(studio: Studio):
    studio.deployment()
    until = studio.clock.now() + timedelta(seconds=LEASE_S)
    OnlineDeployment.objects.update(lease_owner="elsewhere-1-ab", lease_until=until)
    assert free_those_of_the_dead() == 0
