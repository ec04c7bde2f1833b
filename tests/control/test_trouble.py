"""What goes wrong while a deployment is worked on: tried again, told as its failure, or both."""

from __future__ import annotations

from datetime import timedelta

from endpoints.backends.base import DeploymentRef, Permanent, Temporary
from endpoints.control.reconcile import reconcile
from endpoints.models import EnvironmentBuild
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, ProvisioningState
from tests.control.conftest import Studio, failure_of

BLUE = DeploymentRef("house", "blue")


def test_a_temporary_trouble_is_tried_again_when_it_said(studio: Studio):
    blue = studio.deployment()
    studio.target.errors = [Temporary("The engine does not answer.", retry_in=7)]
    reconcile(blue.pk, clock=studio.clock)
    blue.refresh_from_db()
    assert blue.next_look_at == studio.clock.now() + timedelta(seconds=7)
    assert ("Running", "waiting: The engine does not answer.") in studio.steps(studio.newest_operation(blue)).values()
    assert studio.reconcile(blue).provisioning_state is ProvisioningState.SUCCEEDED


def test_a_permanent_trouble_is_the_failure(studio: Studio):
    blue = studio.deployment()
    gone = Failure(code=FailureCode.RESOURCE_NOT_FOUND, message="The model's files are not in the store.")
    studio.target.errors = [Permanent(gone)]
    blue = studio.reconcile(blue)
    assert (blue.provisioning_state, failure_of(blue)["code"]) == ("Failed", "ResourceNotFound")


def test_a_permanent_trouble_with_a_replacement_is_shown_and_not_tried_without_pause(studio: Studio):
    blue = studio.reconcile(studio.deployment())
    EnvironmentBuild.objects.update(
        state="Failed", failure={"code": "ImageBuildFailure", "message": "gone"}, finished_at=studio.clock.now()
    )
    studio.target.crash(BLUE, studio.instances(blue)[0].pk)
    for _ in range(2):
        reconcile(blue.pk, clock=studio.clock)
        studio.clock.sleep(2)
    blue.refresh_from_db()
    assert (blue.provisioning_state, failure_of(blue)["code"]) == ("Failed", "ImageBuildFailure")
    assert blue.next_look_at is not None and blue.next_look_at > studio.clock.now() + timedelta(seconds=50)


def test_an_unknown_error_is_logged_with_the_id_the_person_gets_and_tried_again(studio: Studio, caplog, monkeypatch):
    blue = studio.deployment()
    with monkeypatch.context() as broken:
        broken.setattr(studio.target, "observe", lambda _: 1 / 0)
        reconcile(blue.pk, clock=studio.clock)
    blue.refresh_from_db()
    failure_id = failure_of(blue)["message"].split("(")[1].split(")")[0]
    assert failure_of(blue)["code"] == "InternalServerError"
    assert failure_id in caplog.text and "ZeroDivisionError" in caplog.text
    blue = studio.reconcile(blue)
    assert (blue.provisioning_state, blue.failure) == ("Succeeded", None)


def test_an_error_that_stays_ends_the_operation(studio: Studio, caplog, monkeypatch):
    blue = studio.deployment()
    monkeypatch.setattr(studio.target, "observe", lambda _: 1 / 0)
    blue = studio.reconcile(blue, for_s=120)
    assert blue.provisioning_state is ProvisioningState.FAILED
    assert studio.newest_operation(blue).state == "Failed"
