"""Operations are moved on, finished and replaced; nothing that ended is touched again."""

from __future__ import annotations

import pytest

from endpoints.control.operations import Progress, Target
from endpoints.models import Operation
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, StepState
from tests.control.conftest import Studio

FAILURE = Failure(code=FailureCode.RESOURCE_NOT_READY, message="Too slow.")


@pytest.fixture
def operation(studio: Studio) -> Operation:
    return studio.newest_operation(studio.deployment())


@pytest.fixture
def progress(operation: Operation) -> Progress:
    return Progress(Target("house", "blue"), operation.generation)


def test_a_step_has_its_time_from_its_first_move_to_its_end(studio: Studio, operation, progress):
    began = studio.clock.now()
    progress.step("ready", StepState.RUNNING, "0 of 2", now=began)
    studio.clock.sleep(5)
    progress.step("ready", StepState.SUCCEEDED, "2 of 2", now=studio.clock.now())
    step = operation.steps.get(key="ready")
    assert (step.started_at, step.finished_at, step.detail) == (began, studio.clock.now(), "2 of 2")


def test_a_finished_step_stays_finished(studio: Studio, operation, progress):
    progress.step("staged", StepState.SUCCEEDED, "once", now=studio.clock.now())
    progress.step("staged", StepState.RUNNING, "again", now=studio.clock.now())
    assert studio.steps(operation)["staged"] == ("Succeeded", "once")


def test_a_step_the_operation_does_not_have_is_passed_over(studio: Studio, operation, progress):
    progress.step("no-such-step", StepState.RUNNING, now=studio.clock.now())
    assert {state for state, _ in studio.steps(operation).values()} == {"Pending"}


def test_a_failure_marks_the_step_under_way_and_skips_the_rest(studio: Studio, operation, progress):
    progress.step("environment", StepState.SUCCEEDED, now=studio.clock.now())
    progress.step("staged", StepState.RUNNING, now=studio.clock.now())
    progress.finish(FAILURE, now=studio.clock.now())
    operation.refresh_from_db()
    assert [state for state, _ in studio.steps(operation).values()] == ["Succeeded", "Failed", "Skipped", "Skipped"]
    assert (operation.state, operation.failure["message"]) == ("Failed", "Too slow.")


def test_what_ended_is_not_ended_again(studio: Studio, operation, progress):
    progress.finish(None, now=studio.clock.now())
    progress.finish(FAILURE, now=studio.clock.now())
    operation.refresh_from_db()
    assert (operation.state, operation.failure) == ("Succeeded", None)


def test_operations_of_other_deployments_are_left_alone(studio: Studio, progress):
    green = studio.newest_operation(studio.deployment("green"))
    progress.finish(FAILURE, now=studio.clock.now())
    green.refresh_from_db()
    assert green.state == "Running"


def test_what_it_waits_for_is_said_on_the_step_under_way(studio: Studio, operation, progress):
    progress.step("started", StepState.RUNNING, now=studio.clock.now())
    progress.note("waiting: the engine does not answer", now=studio.clock.now())
    assert studio.steps(operation)["started"] == ("Running", "waiting: the engine does not answer")
