"""The sweep: what it hands over, what it leaves in peace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints.backends.base import DeploymentRef, Temporary
from endpoints.backends.fake import Script
from endpoints.control import leases, waking
from endpoints.control.parking import park
from endpoints.control.sweep import PATIENCE, glance, sweep
from endpoints.models import Instance, OnlineDeployment, OnlineEndpoint
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode
from tests.control.conftest import Studio

BLUE = DeploymentRef("house", "blue")


def handed_over(studio: Studio) -> list[int]:
    """Deployments the sweep woke the reconciler for."""
    studio.woken.clear()
    sweep(clock=studio.clock)
    return [arguments[0] for task, *arguments in studio.woken if task == waking.RECONCILE_DEPLOYMENT]


def test_a_new_deployment_whose_wake_was_lost_is_found(studio: Studio):
    assert handed_over(studio) == []
    blue = studio.deployment()
    assert handed_over(studio) == [blue.pk]


def test_a_deletion_whose_wake_was_lost_is_found(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.delete(blue)
    assert handed_over(studio) == [blue.pk]


def test_what_was_handed_over_is_not_handed_over_again_at_once(studio: Studio):
    blue = studio.deployment()
    handed_over(studio)
    assert handed_over(studio) == []
    studio.clock.sleep(PATIENCE.total_seconds())
    assert handed_over(studio) == [blue.pk]


def test_what_is_due_later_is_left_until_then(studio: Studio):
    blue = studio.deployment()
    OnlineDeployment.objects.update(next_look_at=studio.clock.now() + timedelta(seconds=10))
    assert handed_over(studio) == []
    studio.clock.sleep(10)
    assert handed_over(studio) == [blue.pk]


def test_what_somebody_works_on_is_left_to_them(studio: Studio):
    blue = studio.deployment()
    with leases.hold(blue.pk, studio.clock):
        assert handed_over(studio) == []


def test_the_lease_of_a_dead_worker_runs_out(studio: Studio):
    blue = studio.deployment()
    until = studio.clock.now() + timedelta(seconds=leases.LEASE_S)
    OnlineDeployment.objects.update(lease_owner="dead", lease_until=until)
    studio.clock.sleep(leases.LEASE_S + 0.1)
    assert handed_over(studio) == [blue.pk]


def test_a_deployment_that_runs_well_costs_a_glance(studio: Studio):
    studio.reconcile(studio.deployment(count=3))
    assert handed_over(studio) == []


def test_an_instance_that_died_is_noticed_at_the_next_glance(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    studio.target.crash(BLUE, studio.instances(blue)[0].pk)
    assert handed_over(studio) == [blue.pk]


def test_an_instance_that_vanished_is_noticed_at_the_next_glance(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    studio.target.lose(BLUE, studio.instances(blue)[0].pk)
    assert handed_over(studio) == [blue.pk]


def test_instances_that_were_parked_are_started_again(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    assert park(clock=studio.clock) == 2
    assert (studio.target.observe(BLUE), handed_over(studio)) == ((), [blue.pk])
    assert studio.reconcile(blue).ready_instances == 2


def test_a_deployment_that_failed_for_good_is_left_in_peace(studio: Studio):
    broken = Failure(code=FailureCode.USER_SCRIPT_INIT_FAILED, message="init() raised KeyError")
    studio.scripts[1] = Script(exit_code=3, failure=broken)
    studio.reconcile(studio.deployment())
    studio.clock.sleep(3600)
    assert handed_over(studio) == []


def test_a_probe_that_fails_is_the_reconcilers(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.sicken(studio.instances(blue)[0], "connection refused")
    assert handed_over(studio) == []
    studio.clock.sleep(10)
    assert handed_over(studio) == [blue.pk]


def test_a_good_probe_is_remembered_so_that_the_next_waits_its_period(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.clock.sleep(10)
    handed_over(studio)
    row = studio.instances(blue)[0]
    assert row.probed_at == row.liveness_probed_at == studio.clock.now()


def test_a_target_that_does_not_answer_disturbs_nobody(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.target.errors = [Temporary("The engine does not answer.")]
    assert handed_over(studio) == []
    assert studio.instances(blue)[0].state == "Ready"


def test_an_endpoint_whose_publication_was_lost_is_finished(studio: Studio):
    OnlineEndpoint.objects.create(name="shed")
    sweep(clock=studio.clock)
    assert OnlineEndpoint.objects.get().provisioning_state == "Succeeded"


@pytest.mark.parametrize("number", [3, 30])
def test_a_glance_asks_the_database_no_more_for_more_deployments(studio: Studio, number, django_assert_max_num_queries):
    environment = studio.environment()
    for index in range(number):
        studio.reconcile(studio.deployment(f"d{index}", environment=environment))
    studio.clock.sleep(10)
    with django_assert_max_num_queries(6):
        assert glance(clock=studio.clock) == set()
    assert Instance.objects.filter(probed_at=studio.clock.now()).count() == number
