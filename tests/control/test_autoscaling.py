"""Which deployments the autoscaler looks at, and that its word on them is carried out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from endpoints import services
from endpoints.control import autoscaling
from endpoints.control.autoscaling import Say
from endpoints.models import OnlineDeployment, ScalingDecision
from studio.access.models import User
from studio.access.programs import AUTOSCALER, program
from tests.services import world

PLACE = {"endpoint": "risk", "name": "blue"}


@pytest.fixture
def blue(teammate: User) -> OnlineDeployment:
    """As the reconciler leaves it, with a policy that wants two."""
    world.endpoint(teammate)
    world.deploy(teammate)
    services.set_scaling(teammate, **PLACE, policy={"minimum": 2, "maximum": 4})
    OnlineDeployment.objects.update(observed_generation=1, observed_revision=1)
    return OnlineDeployment.objects.get()


def say() -> list[Say]:
    return list(autoscaling.verdicts(now=timezone.now(), is_heard=True))


def test_a_deployment_below_its_minimum_is_spoken_of(blue: OnlineDeployment) -> None:
    [found] = say()
    assert (found.endpoint, found.deployment, found.count, found.verdict.wanted) == ("risk", "blue", 1, 2)
    services.apply_verdict(program(AUTOSCALER), **PLACE, count=1, verdict=found.verdict)
    assert ScalingDecision.objects.get().reason == "1 is below the minimum, 2."


@pytest.mark.parametrize(
    "state",
    [
        {"observed_generation": 0},
        {"failure": {"code": "CrashLoop", "message": "It fell over."}},
        {"stopped_at": timezone.now()},
        {"deletion_requested_at": timezone.now()},
        {"scaling": {}},
        {"scaling": {"minimum": 2, "maximum": 4, "enabled": False}},
        {"scaling": {"written": "by another version"}},
    ],
)
def test_what_is_busy_broken_stopped_or_without_a_policy_is_left_alone(
    blue: OnlineDeployment, state: dict[str, object]
) -> None:
    OnlineDeployment.objects.update(**state)
    assert say() == []


def test_nobody_asking_puts_it_to_sleep_only_while_the_gateways_are_heard(blue: OnlineDeployment) -> None:
    policy = {"minimum": 0, "maximum": 4, "idle_timeout": "10s"}
    OnlineDeployment.objects.update(scaling=policy, updated_at=timezone.now() - timedelta(minutes=1))
    assert list(autoscaling.verdicts(now=timezone.now(), is_heard=False)) == []
    assert [found.verdict.wanted for found in say()] == [0]


def test_old_decisions_are_forgotten(blue: OnlineDeployment) -> None:
    now = timezone.now()
    for days in (1, 200):
        at = now - timedelta(days=days)
        ScalingDecision.objects.create(deployment=blue, at=at, last_at=at, cause="rule", before=1, wanted=2, given=2)
    assert autoscaling.forget_decisions(now=now) == 1
