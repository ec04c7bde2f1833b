"""The planner's rules, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from endpoints.control.plan import Desired, Outcome
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, InstanceState
from tests.control.simulation import CRASH, SCRIPT_FAILURE, World, rolled_out


def test_a_new_deployment_starts_all_its_instances_at_once():
    decision = World(Desired(revision=1, count=7, generation=1, surge=2)).look()
    assert (decision.start, decision.start_revision) == (7, 1)


def test_a_deployment_is_done_when_all_its_instances_are_ready():
    world = World(Desired(revision=1, count=3, generation=1))
    world.look()
    assert world.look().outcome is Outcome.WORKING
    world.finish_starting()
    assert world.look().outcome is Outcome.DONE


def test_ten_instances_roll_two_at_a_time_and_never_fewer_than_eight_are_ready():
    world = rolled_out(10)
    world.change(revision=2)
    lowest, most_starting = 10, 0
    while not world.desired.is_settled:
        world.look()
        lowest = min(lowest, len(world.ready()))
        most_starting = max(most_starting, len(world.present(InstanceState.STARTING)))
        world.now += timedelta(seconds=0.5)
        world.finish_starting()
    assert (lowest, most_starting) == (10, 2)
    assert {m.revision for m in world.present()} == {2}


def test_without_surge_ten_instances_roll_with_eight_ready():
    world = rolled_out(10, surge=0)
    world.change(revision=2)
    assert len(world.look().drain) == 2
    assert world.look().start == 0
    assert {m.revision for m in world.run().ready()} == {2}


def test_a_single_instance_is_replaced_by_one_that_is_ready_first():
    world = rolled_out(1)
    world.change(revision=2)
    assert (world.look().start, len(world.ready())) == (1, 1)
    assert world.look().drain == ()
    world.finish_starting()
    assert len(world.look().drain) == 1


def test_an_instance_leaves_the_routes_before_it_is_stopped():
    world = rolled_out(2)
    world.change(count=1)
    decision = world.look()
    assert (len(decision.drain), decision.stop) == (1, ())
    world.now += timedelta(seconds=0.9)
    assert world.look().stop == ()
    world.now += timedelta(seconds=0.2)
    assert len(world.look().stop) == 1


def test_a_roll_halts_at_the_first_new_instance_that_fails_and_the_old_ones_serve_on():
    world = rolled_out(10)
    world.broken = frozenset({2})
    world.change(revision=2)
    world.look()
    world.finish_starting()
    decision = world.look()
    assert (decision.outcome, decision.failure) == (Outcome.FAILED, SCRIPT_FAILURE)
    assert decision.start == 0
    assert [m.revision for m in world.run().ready()] == [1] * 10


def test_a_roll_that_fails_half_way_goes_back_to_what_worked():
    world = rolled_out(5)
    world.change(revision=2)
    world.look()
    world.finish_starting()
    world.look()
    world.crash(next(m.id for m in world.ready() if m.revision == 2))
    assert world.look().outcome is Outcome.FAILED
    assert [m.revision for m in world.run().ready()] == [1] * 5


def test_a_first_create_whose_script_fails_is_given_up_and_nothing_is_left():
    world = World(Desired(revision=1, count=3, generation=1), broken=frozenset({1}))
    world.look()
    world.finish_starting()
    decision = world.look()
    assert (decision.outcome, decision.failure, decision.start) == (Outcome.FAILED, SCRIPT_FAILURE, 0)
    assert world.run().present() == []


def test_an_unexplained_end_during_create_is_tried_again_but_not_for_ever():
    world = World(Desired(revision=1, count=1, generation=1))
    outcomes = []
    while not world.desired.is_settled:
        for member in world.present(InstanceState.STARTING):
            world.crash(member.id)
        outcomes.append(world.look().start)
        world.now += timedelta(seconds=1)
    assert sum(outcomes) == 3


def test_an_instance_that_died_is_replaced_after_a_growing_wait():
    world, waits = rolled_out(1), []
    for _ in range(11):
        world.crash(world.present()[0].id)
        world.look()
        waits.append(round(world.look().look_in_s))
        world.now += timedelta(seconds=waits[-1])
        assert world.look().start == 1
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_an_hour_of_health_makes_the_next_wait_short_again():
    world = rolled_out(1)
    for _ in range(4):
        world.crash(world.present()[0].id)
        world.now += timedelta(seconds=400)
        world.look()
        world.look()
    world.finish_starting()
    world.now += timedelta(hours=1)
    world.crash(world.present()[0].id)
    world.look()
    assert round(world.look().look_in_s) == 1


def test_a_proven_revision_that_fails_while_it_is_scaled_ends_the_operation_and_is_tried_on():
    world = rolled_out(1)
    world.change(count=2)
    outcomes = []
    for _ in range(60):
        for member in world.present(InstanceState.STARTING):
            world.crash(member.id)
        outcomes.append(world.look().outcome)
        world.now += timedelta(seconds=1)
    assert outcomes.count(Outcome.FAILED) == 1
    assert len(world.ready()) == 1


def test_count_and_settings_together_scale_first_then_roll():
    world = rolled_out(2)
    world.change(revision=2, count=5)
    decision = world.look()
    assert (decision.start, decision.start_revision) == (3, 1)
    world.finish_starting()
    decision = world.look()
    assert (decision.start, decision.start_revision) == (1, 2)
    assert [m.revision for m in world.run().ready()] == [2] * 5


def test_a_revision_that_crashes_is_not_scaled_before_it_is_replaced():
    world = rolled_out(2)
    world.crash(world.ready()[0].id)
    world.change(revision=2, count=5)
    assert world.look().start_revision == 2


def test_a_newer_change_supersedes_a_roll_under_way():
    world = rolled_out(5)
    world.change(revision=2)
    world.look()
    starting = [m.id for m in world.present(InstanceState.STARTING)]
    world.change(revision=3)
    assert [name for name, _ in world.look().stop] == starting
    assert [m.revision for m in world.run().ready()] == [3] * 5


def test_deleting_drains_everything_and_ends_with_nothing():
    world = rolled_out(3)
    world.desired = replace(world.desired, is_deleted=True)
    assert len(world.look().drain) == 3
    assert (world.run().outcome, world.present()) == (Outcome.GONE, [])


def test_a_new_instance_that_turns_unready_for_good_halts_the_roll():
    world = rolled_out(1)
    world.change(revision=2)
    world.look()
    world.finish_starting()
    new = next(m for m in world.ready() if m.revision == 2)
    world.put(new.id, state=InstanceState.UNREADY, unready_since=world.now)
    assert world.look().outcome is Outcome.WORKING
    world.now += timedelta(seconds=311)
    failure = world.look().failure
    assert failure is not None and failure.code is FailureCode.RESOURCE_NOT_READY


def test_a_retry_is_not_judged_by_what_failed_before_it():
    world = World(Desired(revision=1, count=1, generation=1), broken=frozenset({1})).run()
    world.broken = frozenset()
    world.now += timedelta(seconds=2)
    world.change()
    assert [m.revision for m in world.run().ready()] == [1]


def test_failures_that_explain_themselves_go_before_those_that_do_not():
    world = World(Desired(revision=1, count=2, generation=1))
    world.look()
    first, second = world.present()
    world.crash(first.id, CRASH)
    world.crash(second.id, Failure(code=FailureCode.USER_SCRIPT_IMPORT_ERROR, message="No module named 'x'"))
    failure = world.look().failure
    assert failure is not None and failure.code is FailureCode.USER_SCRIPT_IMPORT_ERROR


def test_a_canceled_roll_goes_back_to_what_ran_before():
    world = rolled_out(5)
    world.change(revision=2)
    world.look()
    world.finish_starting()
    world.look()
    world.desired = replace(world.desired, is_canceled=True)
    decision = world.look()
    assert decision.outcome is Outcome.FAILED and decision.failure is not None
    assert decision.failure.code is FailureCode.OPERATION_CANCELED
    assert [m.revision for m in world.run().ready()] == [1] * 5


def test_a_canceled_creation_leaves_no_instance():
    world = World(Desired(revision=1, count=3, generation=1))
    world.look()
    world.desired = replace(world.desired, is_canceled=True)
    world.look()
    assert world.run().present() == []


def test_a_cancellation_that_comes_too_late_changes_nothing():
    world = rolled_out(2)
    world.desired = replace(world.desired, is_canceled=True)
    assert (world.look().outcome, len(world.ready())) == (Outcome.DONE, 2)
