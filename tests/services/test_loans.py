"""The shared pool: lent where the family's limit has no room, for a time, and given back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from endpoints import selectors, services
from endpoints.models import Instance, OnlineDeployment, Operation, PoolLoan
from endpoints.selectors import FamilyUsage
from endpoints.services.loans import take_turns
from endpoints.spec.errors import Conflict, Forbidden, Invalid, NotFound, OutOfQuota
from endpoints.spec.instance_types import BUILTIN
from studio.access.models import AuditRecord, User
from tests.people import person
from tests.services import world

NEEDED = 8  # one instance of four cores, and its reservation


@pytest.fixture
def pool(owner: User) -> User:
    """No room in the family's limit, and two deployments' worth in its pool. Returns the owner."""
    world.endpoint(owner)
    services.set_family_limit(owner, family="DSv2", limit_cores=0, pool_cores=2 * NEEDED, note="trials")
    return owner


def borrow(actor: User, name: str = "blue", hours: int = 8, **changes: object) -> PoolLoan:
    world.deploy(actor, name=name, shared_pool_hours=hours, **changes)
    return PoolLoan.objects.get(deployment_name=name, ended_at=None)


def family(user: User) -> FamilyUsage:
    return next(usage for usage in selectors.quota_usage(user) if usage.family == "DSv2")


def blue() -> OnlineDeployment:
    return OnlineDeployment.objects.select_related("endpoint").get(name="blue")


def end(loan: PoolLoan, *, after: timedelta = timedelta()) -> None:
    """Let the time of the loan pass."""
    take_turns(now=loan.ends_at + after)


def test_cores_are_lent_where_the_limit_has_no_room(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    assert (loan.cores, loan.family, loan.lent_to) == (NEEDED, "DSv2", teammate)
    assert abs((loan.ends_at - timezone.now()) - timedelta(hours=8)) < timedelta(minutes=1)
    usage = family(pool)
    assert (usage.lent_cores, usage.pool_free_cores, usage.used_cores, usage.reserved_cores) == (8, 8, 0, 0)
    step = Operation.objects.get(kind="CreateDeployment").steps.get(key="quota")
    assert step.detail == "8 of 16 free DSv2 cores of the shared pool, for a time"


def test_nothing_is_lent_while_the_limit_has_room(pool: User, teammate: User) -> None:
    services.set_family_limit(pool, family="DSv2", limit_cores=NEEDED)
    world.deploy(teammate, shared_pool_hours=8)
    assert not PoolLoan.objects.exists()


def test_who_does_not_ask_is_told_that_they_could(pool: User, teammate: User) -> None:
    with pytest.raises(OutOfQuota, match="has 16 of 16 cores free: ask for them with shared_pool_hours"):
        world.deploy(teammate)


def test_the_pool_is_never_overdrawn(pool: User, teammate: User) -> None:
    borrow(teammate)
    borrow(teammate, "green")
    with pytest.raises(OutOfQuota, match=r"has 0 of 16 cores free\."):
        borrow(teammate, "red")
    assert not OnlineDeployment.objects.filter(name="red").exists()


def test_a_loan_longer_than_the_longest_is_refused(pool: User, teammate: User) -> None:
    with pytest.raises(Invalid, match="lends for 1 to 24 hours, not 25"):
        borrow(teammate, hours=25)
    services.set_studio_settings(pool, values={"pool_longest_loan_h": 48})
    borrow(teammate, hours=25)


def test_scaling_changes_the_loan_and_keeps_its_end(pool: User, teammate: User) -> None:
    ends_at = borrow(teammate).ends_at
    for count, cores in ((3, 16), (1, 8)):
        services.scale_deployment(teammate, endpoint="risk", name="blue", instance_count=count)
        loan = PoolLoan.objects.get()
        assert (loan.cores, loan.ends_at) == (cores, ends_at)
    with pytest.raises(OutOfQuota):
        services.scale_deployment(teammate, endpoint="risk", name="blue", instance_count=4)


def test_one_on_its_familys_limit_is_not_moved_to_the_pool_by_scaling(pool: User, teammate: User) -> None:
    services.set_family_limit(pool, family="DSv2", limit_cores=NEEDED)
    world.deploy(teammate, shared_pool_hours=8)
    with pytest.raises(OutOfQuota, match="for a new deployment or one that is stopped"):
        services.scale_deployment(teammate, endpoint="risk", name="blue", instance_count=2)


def test_its_end_is_said_before_it_comes_and_only_once(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    for _ in range(2):
        end(loan, after=-timedelta(minutes=30))
    warning = Operation.objects.get(kind="WarnOfLoan")
    assert warning.summary.startswith("Its loan of 8 DSv2 cores from the shared pool ends at")
    assert (warning.state, warning.created_by) == ("Succeeded", None)


def test_at_its_end_the_deployment_is_stopped_and_says_why(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    generation = blue().generation
    end(loan)
    row = blue()
    assert row.stopped_at and row.generation == generation + 1 and row.wanted_instances == 0
    assert row.stop_reason.startswith("stopped: its loan of 8 DSv2 cores from the shared pool ended at")
    operation = Operation.objects.get(kind="StopDeployment")
    assert [step.key for step in operation.steps.all()] == ["drained", "stopped"]
    assert AuditRecord.objects.filter(actor="", summary=operation.summary).exists()


def test_the_cores_are_lent_again_when_its_instances_are_gone(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    instance = Instance.objects.create(id="blue-1", deployment=blue(), revision=1, state="Draining")
    for _ in range(2):
        end(loan)
    assert family(pool).lent_cores == NEEDED
    Instance.objects.filter(pk=instance.pk).update(ended_at=timezone.now())
    end(loan)
    loan.refresh_from_db()
    assert (loan.end, family(pool).lent_cores) == ("Expired", 0)


def stopped(teammate: User) -> None:
    loan = borrow(teammate)
    for _ in range(2):
        end(loan)


def test_it_starts_again_when_the_limit_has_room(pool: User, teammate: User) -> None:
    stopped(teammate)
    with pytest.raises(OutOfQuota):
        services.start_deployment(teammate, endpoint="risk", name="blue")
    services.set_family_limit(pool, family="DSv2", limit_cores=NEEDED)
    operation = services.start_deployment(teammate, endpoint="risk", name="blue")
    assert (operation.kind, blue().stopped_at, blue().stop_reason) == ("StartDeployment", None, "")
    assert not PoolLoan.objects.filter(ended_at=None).exists()
    with pytest.raises(Conflict, match="is not stopped"):
        services.start_deployment(teammate, endpoint="risk", name="blue")


def test_it_starts_again_on_another_loan_that_is_asked_for(pool: User, teammate: User) -> None:
    stopped(teammate)
    services.start_deployment(teammate, endpoint="risk", name="blue", shared_pool_hours=2)
    assert family(pool).lent_cores == NEEDED


def test_it_is_not_started_before_it_has_stopped(pool: User, teammate: User) -> None:
    end(borrow(teammate))
    with pytest.raises(Conflict, match="still stopping"):
        services.start_deployment(teammate, endpoint="risk", name="blue", shared_pool_hours=2)


def test_a_stopped_deployment_takes_no_cores_and_may_be_changed(pool: User, teammate: User) -> None:
    stopped(teammate)
    services.update_deployment(teammate, endpoint="risk", name="blue", document={"instance_count": 9})
    assert (family(pool).used_cores, family(pool).lent_cores, blue().wanted_instances) == (0, 0, 0)


def test_who_may_change_quota_extends_a_loan(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    with pytest.raises(Forbidden):
        services.extend_loan(teammate, endpoint="risk", name="blue", hours=2)
    assert services.extend_loan(pool, endpoint="risk", name="blue", hours=2).ends_at == loan.ends_at + timedelta(
        hours=2
    )
    end(loan)
    assert not blue().stopped_at
    with pytest.raises(Invalid, match="1 to 24 hours more, not 0"):
        services.extend_loan(pool, endpoint="risk", name="blue", hours=0)


def test_a_loan_is_given_back_when_the_limit_has_room(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    with pytest.raises(OutOfQuota):
        services.repay_loan(teammate, endpoint="risk", name="blue")
    services.set_family_limit(pool, family="DSv2", limit_cores=NEEDED)
    generation = blue().generation
    services.repay_loan(teammate, endpoint="risk", name="blue")
    loan.refresh_from_db()
    assert (loan.end, blue().generation) == ("Repaid", generation)
    assert (family(pool).used_cores, family(pool).lent_cores) == (4, 0)
    with pytest.raises(NotFound, match="stands on no loan"):
        services.repay_loan(teammate, endpoint="risk", name="blue")


def test_a_deleted_deployment_gives_its_cores_back(pool: User, teammate: User) -> None:
    loan = borrow(teammate)
    blue().delete()
    assert family(pool).lent_cores == 0
    take_turns(now=timezone.now())
    loan.refresh_from_db()
    assert loan.end == "Deleted"


def test_a_stop_cannot_be_canceled(pool: User, teammate: User) -> None:
    end(borrow(teammate))
    from endpoints.services.cancellation import cancel_operation

    with pytest.raises(Conflict, match="start the deployment again"):
        cancel_operation(teammate, operation_id=Operation.objects.get(kind="StopDeployment").pk)


def test_loans_of_endpoints_one_may_not_read_are_not_listed(pool: User, teammate: User) -> None:
    borrow(teammate)
    assert [loan.deployment_name for loan in selectors.loans_for(pool)] == ["blue"]
    elsewhere = person("eve", "Reader", endpoint="other")
    with pytest.raises(Forbidden):
        selectors.loans_for(elsewhere)


def test_the_needed_cores_are_those_of_the_table() -> None:
    assert next(size for size in BUILTIN if size.name == world.TYPE).cores * 2 == NEEDED
