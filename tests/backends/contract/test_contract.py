"""The promises of `endpoints.backends.base`, kept by every compute target."""

from __future__ import annotations

import socket
from contextlib import nullcontext

from endpoints.backends.base import Phase
from endpoints.spec.states import FailureCode
from tests.backends.contract.harness import BLUE, GREEN, Target


def is_all(phase: Phase):
    return lambda found: bool(found) and all(instance.phase is phase for instance in found.values())


def test_nothing_is_observed_of_a_deployment_that_was_never_started(target: Target):
    assert target.observed() == {}


def test_a_started_instance_comes_to_run_and_says_where_it_listens(target: Target):
    target.start("blue-1")
    instance = target.until(is_all(Phase.RUNNING))["blue-1"]
    assert instance.revision == 1
    with socket.create_connection((instance.host, instance.port), timeout=5) if target.is_real else nullcontext():
        assert instance.port > 0
    assert instance.started_at is not None and instance.started_at.tzinfo is not None


def test_two_instances_listen_at_two_places(target: Target):
    target.start("blue-1", "blue-2")
    found = target.until(is_all(Phase.RUNNING))
    assert len({(instance.host, instance.port) for instance in found.values()}) == 2


def test_an_instance_still_in_init_is_starting_and_has_no_port(target: Target):
    target.start("blue-1", behaviour="slow")
    instance = target.until(bool)["blue-1"]
    assert (instance.phase, instance.port) == (Phase.STARTING, 0)


def test_starting_an_instance_twice_changes_nothing(target: Target):
    target.start("blue-1")
    before = target.until(is_all(Phase.RUNNING))["blue-1"]
    target.start("blue-1")
    assert target.observed() == {"blue-1": before}


def test_stopping_an_unknown_instance_is_no_error(target: Target):
    target.stop("nobody")
    assert target.observed() == {}


def test_a_stopped_instance_disappears(target: Target):
    target.start("blue-1", "blue-2")
    target.until(is_all(Phase.RUNNING))
    target.stop("blue-1")
    assert list(target.until(lambda found: "blue-1" not in found)) == ["blue-2"]


def test_an_instance_that_is_asked_to_stop_is_stopping_until_it_has_ended(target: Target):
    target.start("blue-1", behaviour="deaf")
    target.until(is_all(Phase.RUNNING))
    target.stop("blue-1", grace_s=30)
    assert target.observed()["blue-1"].phase is Phase.STOPPING


def test_an_instance_deaf_to_the_request_is_killed_after_its_grace(target: Target):
    target.start("blue-1", behaviour="deaf")
    target.until(is_all(Phase.RUNNING))
    target.stop("blue-1", grace_s=0.3)
    assert target.until(lambda found: not found) == {}


def test_a_later_stop_may_shorten_the_grace(target: Target):
    target.start("blue-1", behaviour="deaf")
    target.until(is_all(Phase.RUNNING))
    target.stop("blue-1", grace_s=60)
    target.stop("blue-1", grace_s=0.0)
    assert target.until(lambda found: not found) == {}


def test_an_instance_may_be_stopped_before_it_runs(target: Target):
    target.start("blue-1", behaviour="slow")
    target.stop("blue-1", grace_s=5)
    assert target.until(lambda found: not found) == {}


def test_a_failing_init_is_told_in_the_servers_words(target: Target):
    target.start("blue-1", behaviour="init-fails")
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert instance.exit_code == 3
    assert instance.failure is not None
    assert (instance.failure.code, instance.failure.line) == (FailureCode.USER_SCRIPT_INIT_FAILED, 3)


def test_an_exit_is_told_with_its_code_and_a_reason(target: Target):
    target.start("blue-1", behaviour="exits")
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert (instance.exit_code, instance.reason) == (7, "exited with code 7")


def test_a_kill_from_outside_is_told_as_its_signal(target: Target):
    target.start("blue-1")
    target.harness.end_from_outside(target.until(is_all(Phase.RUNNING))["blue-1"])
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert instance.exit_code == -9
    assert "SIGKILL" in instance.reason


def test_an_exited_instance_is_reported_until_it_is_stopped(target: Target):
    target.start("blue-1", behaviour="exits")
    target.until(is_all(Phase.EXITED))
    target.start("blue-1")
    assert target.observed()["blue-1"].phase is Phase.EXITED
    target.stop("blue-1")
    assert target.observed() == {}


def test_instances_of_two_revisions_live_side_by_side(target: Target):
    target.start("blue-1", revision=1)
    target.start("blue-2", revision=2)
    found = target.until(lambda found: len(found) == 2 and is_all(Phase.RUNNING)(found))
    assert {id_: instance.revision for id_, instance in found.items()} == {"blue-1": 1, "blue-2": 2}


def test_deployments_do_not_see_each_other(target: Target):
    target.start("blue-1", deployment=BLUE)
    target.start("green-1", deployment=GREEN)
    assert list(target.until(bool, deployment=GREEN)) == ["green-1"]
    target.backend.remove(GREEN)
    assert list(target.observed(BLUE)) == ["blue-1"]


def test_deployments_looked_at_together_are_seen_as_each_alone(target: Target):
    target.start("blue-1", deployment=BLUE)
    target.start("green-1", behaviour="exits", deployment=GREEN)
    target.until(is_all(Phase.RUNNING), deployment=BLUE)
    target.until(is_all(Phase.EXITED), deployment=GREEN)
    together = target.backend.observe_many((BLUE, GREEN))
    for deployment in (BLUE, GREEN):
        alone = {(one.instance_id, one.phase, one.host, one.port) for one in target.backend.observe(deployment)}
        assert {(one.instance_id, one.phase, one.host, one.port) for one in together[deployment]} == alone


def test_removing_ends_everything_and_may_be_repeated(target: Target):
    target.start("blue-1", "blue-2")
    target.until(is_all(Phase.RUNNING))
    target.backend.remove(BLUE)
    target.backend.remove(BLUE)
    assert target.observed() == {}


def test_a_removed_deployment_can_be_started_again(target: Target):
    target.start("blue-1")
    target.backend.remove(BLUE)
    target.start("blue-1")
    assert target.until(is_all(Phase.RUNNING))["blue-1"].port > 0


def test_logs_name_the_instance_they_are_from(target: Target):
    target.start("blue-1", "blue-2")
    target.until(is_all(Phase.RUNNING))
    first = "Invoking user's init function"
    assert {line.instance_id for line in target.backend.logs(BLUE) if line.message == first} == {"blue-1", "blue-2"}
    assert {line.instance_id for line in target.backend.logs(BLUE, instance_id="blue-2")} == {"blue-2"}


def test_the_last_lines_of_a_log_can_be_asked_for(target: Target):
    target.start("blue-1", "blue-2")
    target.until(is_all(Phase.RUNNING))
    assert len(list(target.backend.logs(BLUE, lines=1))) == 1


def test_a_followed_log_goes_on_with_instances_that_start_later(target: Target):
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    lines = target.backend.logs(BLUE, follow=True)
    assert next(lines).instance_id == "blue-1"
    target.start("blue-2")
    assert any(line.instance_id == "blue-2" for line in lines)


def test_staging_is_told_in_the_storage_initializers_log_once(target: Target):
    target.start("blue-1")
    target.backend.stage(BLUE, target.template())
    messages = [line.message for line in target.backend.logs(BLUE, container="storage-initializer")]
    assert sum("Staging revision 1" in message for message in messages) == 1


def test_logs_outlive_the_deployment(target: Target):
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    target.backend.remove(BLUE)
    assert list(target.backend.logs(BLUE))


def test_collecting_garbage_spares_what_runs(target: Target):
    target.start("blue-1")
    before = target.until(is_all(Phase.RUNNING))
    target.backend.collect_garbage(grace_s=0)
    assert target.observed() == before
