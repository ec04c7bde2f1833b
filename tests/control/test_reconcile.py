"""From a record to running instances and back, on the fake target."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from endpoints.backends.base import DeploymentRef
from endpoints.backends.fake import Script
from endpoints.control import leases, waking
from endpoints.control.reconcile import reconcile
from endpoints.models import EnvironmentBuild, Instance, OnlineDeployment, OnlineEndpoint
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, ProvisioningState
from tests.control.conftest import Studio, failure_of

BLUE = DeploymentRef("house", "blue")
SCRIPT_FAILURE = Failure(
    code=FailureCode.USER_SCRIPT_INIT_FAILED,
    message="init() raised KeyError: 'MODEL'",
    advice="Set the variable.",
    file="score.py",
    line=7,
    log_tail=("Traceback …", "KeyError: 'MODEL'"),
)


def test_a_new_deployment_becomes_ready_and_is_routed(studio: Studio, django_capture_on_commit_callbacks):
    blue = studio.deployment(count=3)
    with django_capture_on_commit_callbacks(execute=True):
        blue = studio.reconcile(blue)
    assert (blue.provisioning_state, blue.ready_instances, blue.observed_revision) == ("Succeeded", 3, 1)
    table = json.loads((studio.home / "routes" / "routes.json").read_text())
    assert len(table["endpoints"]["house"]["deployments"]["blue"]["instances"]) == 3


def test_its_operation_tells_every_step(studio: Studio):
    blue = studio.deployment(count=2)
    studio.reconcile(blue)
    operation = studio.newest_operation(blue)
    assert operation.state == "Succeeded"
    assert studio.steps(operation) == {
        "environment": ("Succeeded", "cached"),
        "staged": ("Succeeded", ""),
        "started": ("Succeeded", "2 of 2"),
        "ready": ("Succeeded", "2 of 2"),
    }


def test_steps_have_times_in_their_order(studio: Studio):
    blue = studio.deployment()
    studio.reconcile(blue)
    times = [step.finished_at for step in studio.newest_operation(blue).steps.all() if step.finished_at]
    assert len(times) == 4
    assert times == sorted(times)


def test_a_script_that_fails_ends_the_create_with_its_whole_story(studio: Studio):
    studio.scripts[1] = Script(starts_in_s=0.5, exit_code=3, failure=SCRIPT_FAILURE)
    blue = studio.deployment(count=2)
    blue = studio.reconcile(blue)
    operation = studio.newest_operation(blue)
    assert blue.provisioning_state is ProvisioningState.FAILED
    assert blue.failure == operation.failure
    assert (failure_of(blue)["code"], failure_of(blue)["file"], failure_of(blue)["line"]) == (
        "UserScriptInitFailed",
        "score.py",
        7,
    )
    assert failure_of(blue)["log_tail"][-1] == "KeyError: 'MODEL'"
    assert operation.state == "Failed"
    assert studio.target.observe(BLUE) == ()


def test_a_failed_deployment_is_not_started_again_by_itself(studio: Studio):
    studio.scripts[1] = Script(exit_code=3, failure=SCRIPT_FAILURE)
    blue = studio.reconcile(studio.deployment())
    before = len(studio.instances(blue))
    studio.clock.sleep(3600)
    studio.reconcile(blue)
    assert len(studio.instances(blue)) == before == 1


def test_a_retry_after_the_cause_is_gone_succeeds(studio: Studio):
    studio.scripts[1] = Script(exit_code=3, failure=SCRIPT_FAILURE)
    blue = studio.reconcile(studio.deployment())
    studio.scripts.clear()
    studio.change(blue)
    assert studio.reconcile(blue).provisioning_state is ProvisioningState.SUCCEEDED


def test_a_crash_without_a_story_gets_the_exit_and_the_log(studio: Studio):
    studio.scripts[1] = Script(starts_in_s=0.2, exit_code=-9)
    blue = studio.reconcile(studio.deployment())
    assert "SIGKILL" in failure_of(blue)["message"]
    assert failure_of(blue)["log_tail"] == ["Invoking user's init function"]
    assert len(studio.instances(blue, "Failed")) == 3


def test_too_slow_a_start_is_not_ready_and_says_which_setting_to_raise(studio: Studio):
    studio.scripts[1] = Script(starts_in_s=10_000)
    probe = {"initial_delay": 5, "period": 2, "failure_threshold": 5}
    blue = studio.reconcile(studio.deployment(readiness_probe=probe))
    assert failure_of(blue)["code"] == "ResourceNotReady"
    assert "15 s" in failure_of(blue)["message"]
    assert "readiness_probe" in failure_of(blue)["advice"]


def test_an_update_rolls_and_the_new_revision_is_the_observed_one(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=5))
    studio.revise(blue, 2)
    operation = studio.change(blue, revision=2)
    blue = studio.reconcile(blue)
    assert blue.observed_revision == 2
    assert {each.revision for each in studio.target.observe(BLUE)} == {2}
    assert len(studio.target.observe(BLUE)) == 5
    assert studio.steps(operation)["ready"] == ("Succeeded", "5 of 5")


def test_an_update_that_fails_leaves_the_old_instances_serving(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=3))
    studio.revise(blue, 2)
    studio.scripts[2] = Script(exit_code=3, failure=SCRIPT_FAILURE)
    studio.change(blue, revision=2)
    blue = studio.reconcile(blue)
    assert (blue.provisioning_state, blue.observed_revision, blue.ready_instances) == ("Failed", 1, 3)
    assert {each.revision for each in studio.target.observe(BLUE)} == {1}


def test_a_newer_change_cancels_the_operation_it_replaces(studio: Studio):
    blue = studio.deployment()
    first = studio.newest_operation(blue)
    studio.revise(blue, 2)
    second = studio.change(blue, revision=2)
    reconcile(blue.pk, clock=studio.clock, slice_s=0)
    first.refresh_from_db()
    assert first.state == "Canceled"
    studio.reconcile(blue)
    second.refresh_from_db()
    assert (first.state, failure_of(first)["code"], second.state) == ("Canceled", "OperationCanceled", "Succeeded")


def test_deleting_leaves_nothing_and_its_operation_outlives_it(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    operation = studio.delete(blue)
    studio.reconcile(blue)
    assert not OnlineDeployment.objects.exists()
    operation.refresh_from_db()
    assert operation.state == "Succeeded"
    assert {state for state, _ in studio.steps(operation).values()} == {"Succeeded"}
    assert (studio.target.observe(BLUE), Instance.objects.count()) == ((), 0)


def test_an_endpoint_goes_when_its_last_deployment_went(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    OnlineEndpoint.objects.update(deletion_requested_at=studio.clock.now())
    studio.delete(blue)
    studio.reconcile(blue)
    assert not OnlineEndpoint.objects.exists()


def test_a_dead_instance_is_replaced_and_its_row_says_why(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    victim = studio.instances(blue)[0]
    studio.target.crash(BLUE, victim.pk)
    studio.reconcile(blue)
    victim.refresh_from_db()
    assert (victim.state, victim.exit_code) == ("Failed", -9)
    assert "SIGKILL" in victim.reason
    assert len(studio.instances(blue, "Ready")) == 2


def test_an_instance_that_vanished_is_replaced(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.target.lose(BLUE, studio.instances(blue)[0].pk)
    studio.reconcile(blue)
    assert [row.state for row in studio.instances(blue)] == ["Failed", "Ready"]


def test_an_instance_that_fails_liveness_is_stopped_and_replaced(studio: Studio):
    blue = studio.reconcile(studio.deployment(liveness_probe={"period": 1, "failure_threshold": 3}))
    victim = studio.instances(blue)[0]
    studio.sicken(victim, "HTTP status 502")
    for _ in range(6):
        studio.clock.sleep(1)
        reconcile(blue.pk, clock=studio.clock)
    studio.reconcile(blue)
    victim.refresh_from_db()
    assert victim.reason == "The liveness probe failed 3 times in a row: HTTP status 502."
    assert [row.state for row in studio.instances(blue)] == ["Failed", "Ready"]


def test_an_instance_that_fails_readiness_leaves_the_routes_and_comes_back(studio: Studio):
    blue = studio.reconcile(studio.deployment(readiness_probe={"period": 1, "failure_threshold": 2}))
    victim = studio.instances(blue)[0]
    studio.sicken(victim, "HTTP status 503")
    for _ in range(4):
        studio.clock.sleep(1)
        reconcile(blue.pk, clock=studio.clock)
    assert [row.state for row in studio.instances(blue)] == ["Unready"]
    studio.sick.clear()
    assert studio.reconcile(blue).ready_instances == 1


def test_a_crash_loop_with_nothing_ready_is_shown_and_cleared_when_it_is_over(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    studio.scripts[1] = Script(starts_in_s=0.1, exit_code=-11)
    studio.target.crash(BLUE, studio.instances(blue)[0].pk)
    blue = studio.reconcile(blue, for_s=20)
    assert (blue.provisioning_state, failure_of(blue)["code"]) == ("Failed", "DeploymentCrashLoopBackOff")
    studio.scripts.clear()
    blue = studio.reconcile(blue, for_s=400)
    assert blue.provisioning_state is ProvisioningState.SUCCEEDED


def test_a_worker_that_died_between_recording_and_starting_leaves_no_twin(studio: Studio, monkeypatch):
    blue = studio.deployment(count=2)
    with monkeypatch.context() as dying:
        dying.setattr(studio.target, "apply", _die)
        with pytest.raises(SystemExit):
            reconcile(blue.pk, clock=studio.clock)
    names = [row.pk for row in studio.instances(blue)]
    studio.clock.sleep(leases.LEASE_S + 1)
    studio.reconcile(blue)
    assert [each.instance_id for each in studio.target.observe(BLUE)] == sorted(names)


def test_instances_nobody_recorded_are_adopted_not_doubled(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=2))
    Instance.objects.all().delete()
    studio.change(blue)
    studio.reconcile(blue)
    assert len(studio.instances(blue, "Ready")) == len(studio.target.observe(BLUE)) == 2


def test_nobody_works_on_a_deployment_that_somebody_works_on(studio: Studio):
    blue = studio.deployment()
    with leases.hold(blue.pk, studio.clock):
        reconcile(blue.pk, clock=studio.clock)
    assert studio.target.calls == []


def test_a_change_accepted_while_somebody_is_at_it_is_not_lost(studio: Studio, monkeypatch):
    blue = studio.reconcile(studio.deployment())
    observe = studio.target.observe

    def change_then_observe(reference: DeploymentRef):
        monkeypatch.setattr(studio.target, "observe", observe)
        OnlineDeployment.objects.update(generation=2)
        return observe(reference)

    monkeypatch.setattr(studio.target, "observe", change_then_observe)
    reconcile(blue.pk, clock=studio.clock)
    assert (waking.RECONCILE_DEPLOYMENT, blue.pk) in studio.woken


def test_a_deployment_waits_for_its_environment_and_asks_for_the_build(studio: Studio):
    environment = studio.environment(is_built=False)
    blue = studio.deployment(environment=environment)
    reconcile(blue.pk, clock=studio.clock)
    assert (waking.BUILD_ENVIRONMENT, environment.build_key, "process") in studio.woken
    assert studio.steps(studio.newest_operation(blue))["environment"] == ("Running", "building")
    assert studio.instances(blue) == []


def test_an_environment_that_cannot_be_built_fails_the_deployment(studio: Studio):
    environment = studio.environment(is_built=False)
    blue = studio.deployment(environment=environment)
    reconcile(blue.pk, clock=studio.clock)
    failure = {"code": "ImageBuildFailure", "message": "No such package: scikit-lern"}
    EnvironmentBuild.objects.update(state="Failed", failure=failure, finished_at=studio.clock.now())
    blue = studio.reconcile(blue)
    assert (blue.provisioning_state, failure_of(blue)["code"]) == ("Failed", "ImageBuildFailure")


def test_a_build_that_failed_before_the_change_is_tried_anew(studio: Studio):
    environment = studio.environment(is_built=False)
    long_ago = studio.clock.now() - timedelta(days=1)
    EnvironmentBuild.objects.create(key=environment.build_key, state="Failed", failure={}, finished_at=long_ago)
    blue = studio.deployment(environment=environment)
    reconcile(blue.pk, clock=studio.clock)
    assert EnvironmentBuild.objects.get().state == "Queued"


def test_the_split_asked_for_with_the_deployment_is_set_when_it_is_ready(studio: Studio):
    blue = studio.deployment()
    OnlineDeployment.objects.update(traffic_when_ready={"blue": 100, "gone": 0})
    studio.reconcile(blue)
    assert OnlineEndpoint.objects.get().traffic == {"blue": 100}
    assert OnlineDeployment.objects.get().traffic_when_ready is None


def test_a_shadow_that_goes_live_is_mirrored_to_no_more(studio: Studio):
    blue = studio.deployment()
    OnlineDeployment.objects.update(traffic_when_ready={"blue": 100})
    OnlineEndpoint.objects.update(mirror_traffic={"blue": 10})
    studio.reconcile(blue)
    endpoint = OnlineEndpoint.objects.get()
    assert (endpoint.traffic, endpoint.mirror_traffic) == ({"blue": 100}, {})


def _die(_: object) -> None:
    raise SystemExit


def test_a_canceled_update_is_canceled_and_the_old_instances_serve_on(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=3))
    studio.revise(blue, 2)
    studio.scripts[2] = Script(starts_in_s=100)
    operation = studio.change(blue, revision=2)
    reconcile(blue.pk, clock=studio.clock, slice_s=0)
    OnlineDeployment.objects.update(canceled_generation=operation.generation)
    blue = studio.reconcile(blue)
    operation.refresh_from_db()
    assert (operation.state, failure_of(operation)["code"]) == ("Canceled", "OperationCanceled")
    assert (blue.provisioning_state, blue.observed_revision, blue.ready_instances) == ("Canceled", 1, 3)
    assert {each.revision for each in studio.target.observe(BLUE)} == {1}


def test_what_was_canceled_can_be_tried_again(studio: Studio):
    blue = studio.deployment(count=2)
    OnlineDeployment.objects.update(canceled_generation=blue.generation)
    blue = studio.reconcile(blue)
    assert (blue.provisioning_state, studio.target.observe(BLUE)) == ("Canceled", ())
    studio.change(blue)
    assert studio.reconcile(blue).provisioning_state == "Succeeded"


def test_rolling_back_brings_the_old_revision_whole(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=3))
    studio.revise(blue, 2)
    studio.change(blue, revision=2)
    blue = studio.reconcile(blue)
    operation = studio.change(blue, revision=1)
    blue = studio.reconcile(blue)
    operation.refresh_from_db()
    assert (operation.state, blue.provisioning_state, blue.observed_revision) == ("Succeeded", "Succeeded", 1)
    assert [each.revision for each in studio.target.observe(BLUE)] == [1, 1, 1]


def test_a_halted_update_is_rolled_back_without_a_restart(studio: Studio):
    blue = studio.reconcile(studio.deployment(count=3))
    before = {each.instance_id for each in studio.target.observe(BLUE)}
    studio.revise(blue, 2)
    studio.scripts[2] = Script(exit_code=3, failure=SCRIPT_FAILURE)
    studio.change(blue, revision=2)
    blue = studio.reconcile(blue)
    studio.change(blue, revision=1)
    assert studio.reconcile(blue).provisioning_state == "Succeeded"
    assert {each.instance_id for each in studio.target.observe(BLUE)} == before
