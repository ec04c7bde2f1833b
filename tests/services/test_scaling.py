"""Scaling as it is written down: whose count holds, what quota leaves of a wish, sleeping and waking."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints import selectors, services
from endpoints.control.autoscale import Cause, Verdict
from endpoints.models import FamilyQuota, HoldRollup, OnlineDeployment, Operation, RouteFragment, ScalingDecision
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.errors import Conflict, Forbidden, Invalid, NotFound, OutOfQuota
from studio.access.models import AuditRecord, User
from studio.access.programs import AUTOSCALER, program
from tests.services import world

POLICY = {"minimum": 1, "maximum": 5, "default": 2}
SLEEPY = {"minimum": 0, "maximum": 5, "idle_timeout": "10m"}
PLACE = {"endpoint": "risk", "name": "blue"}


def settled(count: int = 1) -> OnlineDeployment:
    """As the reconciler leaves it."""
    row = OnlineDeployment.objects.select_related("endpoint").get()
    OnlineDeployment.objects.update(
        observed_generation=row.generation, observed_revision=row.revision, instance_count=count
    )
    row.refresh_from_db()
    return row


@pytest.fixture
def blue(teammate: User) -> OnlineDeployment:
    world.endpoint(teammate)
    world.deploy(teammate)
    return settled()


def give(actor: User, **policy: Any) -> OnlineDeployment:
    services.set_scaling(actor, **PLACE, policy=policy)
    return settled()


def obey(count: int, wanted: int, cause: Cause = Cause.RULE, would: int = 0) -> Operation | None:
    verdict = Verdict(wanted, cause, "It is busy.", would=would)
    return services.apply_verdict(program(AUTOSCALER), **PLACE, count=count, verdict=verdict)


def test_a_policy_is_kept_with_the_deployment_and_restarts_nothing(blue: OnlineDeployment, teammate: User) -> None:
    row = give(teammate, **POLICY)
    assert (row.scaling["maximum"], row.revision, row.generation) == (5, 1, blue.generation)
    assert services.set_scaling(teammate, **PLACE, policy=POLICY) is None
    assert services.document_of(selectors.revision_now(row))["scaling"]["default"] == 2


def test_a_document_without_a_policy_leaves_policy_and_count_alone(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    row = settled(4)
    document = services.document_of(selectors.revision_now(row))
    document |= {"instance_count": 1, "description": "new"}
    del document["scaling"]
    services.update_deployment(teammate, endpoint="risk", name="blue", document=OnlineDeploymentDocument.read(document))
    row.refresh_from_db()
    assert (row.instance_count, row.description, row.scaling["maximum"]) == (4, "new", 5)


def test_a_count_named_by_hand_holds_within_the_policys_bounds(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    assert services.scale_deployment(teammate, **PLACE, instance_count=3) is not None
    with pytest.raises(Invalid, match="at 1 to 5 instances, not 9"):
        services.scale_deployment(teammate, **PLACE, instance_count=9)


def test_without_its_policy_a_sleeper_wakes(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    settled(0)
    services.remove_scaling(teammate, **PLACE)
    assert OnlineDeployment.objects.values_list("instance_count", "scaling").get() == (1, {})
    with pytest.raises(Conflict, match="no scaling policy"):
        services.remove_scaling(teammate, **PLACE)


def test_a_policy_that_is_switched_off_lets_nothing_sleep(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    settled(0)
    services.change_scaling(teammate, **PLACE, changes={"enabled": False})
    assert OnlineDeployment.objects.get().instance_count == 1


def test_a_verdict_is_an_operation_of_the_autoscaler_with_its_reason(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    operation = obey(1, 3)
    assert operation is not None
    assert (operation.kind, operation.created_by) == ("ScaleDeployment", program(AUTOSCALER))
    assert operation.summary == "Scale from 1 to 3: It is busy."
    assert OnlineDeployment.objects.get().provisioning_state == "Scaling"
    assert AuditRecord.objects.filter(actor=AUTOSCALER, after={"instance_count": 3}).exists()


def test_a_verdict_on_what_has_changed_since_is_dropped(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    assert obey(2, 3) is None
    obey(1, 3)
    assert obey(3, 4) is None  # the change to 3 is still under way
    assert ScalingDecision.objects.count() == 1


def test_quota_leaves_of_a_wish_what_fits_and_says_so(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=20)
    obey(1, 5)  # 5 x 4 cores and their reserve are 24
    decision = ScalingDecision.objects.get()
    assert (decision.before, decision.wanted, decision.given, decision.cause) == (1, 5, 4, "quota")
    assert decision.reason == "It is busy. Wanted 5, quota allowed 4."
    assert OnlineDeployment.objects.get().instance_count == 4


def test_the_same_decision_not_to_act_is_one_row_that_counts(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    for _ in range(3):
        obey(1, 1, Cause.COOL_DOWN, would=3)
    decision = ScalingDecision.objects.get()
    assert (decision.times, decision.is_applied, decision.wanted) == (3, False, 3)
    obey(1, 1, Cause.COOL_DOWN, would=4)
    assert ScalingDecision.objects.count() == 2


def test_falling_asleep_leaves_nothing_and_is_no_failure(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    obey(1, 0, Cause.IDLE)
    assert OnlineDeployment.objects.get().provisioning_state == "Scaling"
    row = settled(0)
    assert (row.is_asleep, row.provisioning_state) == (True, "Succeeded")
    assert '"hold":{' in RouteFragment.objects.get().body


def test_waking_is_counted_and_waking_twice_is_no_error(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    settled(0)
    operation = services.wake_deployment(teammate, **PLACE)
    assert operation is not None
    assert operation.summary == "Wake up: Woken by hand."
    assert services.wake_deployment(teammate, **PLACE) is None
    assert HoldRollup.objects.get(grain_s=10).cold_starts == 1


def test_a_sleeper_keeps_its_quota_unless_its_policy_gives_it_back(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    settled(0)
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=8)
    with pytest.raises(OutOfQuota):
        world.deploy(teammate, name="green")
    services.change_scaling(teammate, **PLACE, changes={"quota_while_asleep": "released"})
    world.deploy(teammate, name="green")


def test_a_wake_without_quota_tells_callers_why(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY, quota_while_asleep="released")
    settled(0)
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=4)
    with pytest.raises(OutOfQuota, match="no quota left"):
        services.wake_deployment(teammate, **PLACE)
    assert "no quota left" in RouteFragment.objects.get().body
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=40)
    services.wake_deployment(teammate, **PLACE)
    assert OnlineDeployment.objects.get().wake_trouble == ""


def test_a_change_of_what_it_is_made_of_wakes_a_sleeper(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **SLEEPY)
    settled(0)
    services.update_deployment(teammate, endpoint="risk", name="blue", document={"environment_variables": {"A": "1"}})
    assert OnlineDeployment.objects.get().instance_count == 1
    settled(0)
    services.roll_back_deployment(teammate, **PLACE, revision=1)
    assert OnlineDeployment.objects.get().instance_count == 1


def test_only_what_may_sleep_is_put_to_sleep(blue: OnlineDeployment, teammate: User) -> None:
    give(teammate, **POLICY)
    with pytest.raises(Conflict, match="may not sleep"):
        services.put_to_sleep(teammate, **PLACE)
    give(teammate, **SLEEPY)
    assert services.put_to_sleep(teammate, **PLACE) is not None


def test_readers_read_and_change_nothing(blue: OnlineDeployment, teammate: User, reader: User, stranger: User) -> None:
    give(teammate, **SLEEPY)
    assert selectors.policies_for(reader)[0].policy is not None
    for verb in (services.wake_deployment, services.put_to_sleep, services.remove_scaling):
        with pytest.raises(Forbidden):
            verb(reader, **PLACE)
    with pytest.raises(Forbidden):
        selectors.policies_for(stranger)
    with pytest.raises(NotFound):
        services.wake_deployment(stranger, **PLACE)


def test_the_studios_own_program_cannot_sign_in_and_sees_no_key(teammate: User) -> None:
    account = program(AUTOSCALER)
    assert not account.has_usable_password()
    assert program(AUTOSCALER) == account
    world.endpoint(teammate)
    with pytest.raises(Forbidden):
        services.get_credentials(account, name="risk")
