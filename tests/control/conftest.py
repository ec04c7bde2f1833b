"""A studio without processes: records, the fake target, answers to probes, and a clock that only sleeps move."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from endpoints.backends import registry
from endpoints.backends.base import DeploymentRef, StartInstance
from endpoints.backends.fake import FakeBackend, Script
from endpoints.control import leases, observe, sweep, waking
from endpoints.control.probes import Answer
from endpoints.control.probing import Target
from endpoints.control.reconcile import reconcile
from endpoints.models import (
    DeploymentRevision,
    Environment,
    EnvironmentBuild,
    EnvironmentVersion,
    Instance,
    OnlineDeployment,
    OnlineEndpoint,
    Operation,
    OperationStep,
)

STEPS = ("environment", "staged", "started", "ready")
DELETE_STEPS = ("drained", "stopped", "removed")


class FakeClock:
    """Sleeping is the only way time passes."""

    def __init__(self) -> None:
        # Ahead of the wall clock, which columns with auto_now go by.
        self._now = timezone.now() + timedelta(minutes=1)

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass
class Studio:
    """What a test of the control room needs at hand."""

    clock: FakeClock
    target: FakeBackend
    woken: list[tuple[Any, ...]]
    home: Path
    sick: dict[int, Answer] = field(default_factory=dict)  # by port
    scripts: dict[int, Script] = field(default_factory=dict)  # by revision

    def environment(self, *, is_built: bool = True, **values: Any) -> EnvironmentVersion:
        number = EnvironmentVersion.objects.count() + 1
        environment, _ = Environment.objects.get_or_create(name="env")
        key = f"{number:064x}"
        if is_built:
            EnvironmentBuild.objects.create(key=key, state="Succeeded", result={"python": sys.executable, "image": ""})
        return EnvironmentVersion.objects.create(
            environment=environment, version=str(number), image="python", build_key=key, **values
        )

    def endpoint(self, name: str = "house") -> OnlineEndpoint:
        endpoint, _ = OnlineEndpoint.objects.get_or_create(name=name, defaults={"observed_generation": 1})
        return endpoint

    def deployment(
        self, name: str = "blue", *, count: int = 1, endpoint: str = "house", **spec: Any
    ) -> OnlineDeployment:
        """A deployment as services would have recorded it."""
        environment = spec.pop("environment", None) or self.environment()
        deployment = OnlineDeployment.objects.create(
            endpoint=self.endpoint(endpoint),
            name=name,
            backend="fake",
            instance_type="Standard_DS3_v2",
            instance_count=count,
        )
        self.revise(deployment, 1, environment=environment, **spec)
        self.operation(deployment, "CreateDeployment")
        return deployment

    def revise(self, deployment: OnlineDeployment, number: int, **spec: Any) -> None:
        environment = spec.pop("environment", None) or EnvironmentVersion.objects.latest("pk")
        spec.setdefault("code_configuration", {"code": "tree:0", "scoring_script": "score.py"})
        DeploymentRevision.objects.create(
            deployment=deployment, number=number, spec=spec, environment_version=environment, code_digest="0" * 64
        )

    def change(self, deployment: OnlineDeployment, **values: Any) -> Operation:
        """What a service writes when it accepts an update."""
        deployment.refresh_from_db()
        for name, value in values.items():
            setattr(deployment, name, value)
        deployment.generation += 1
        deployment.save(update_fields=[*values, "generation", "updated_at"])
        return self.operation(deployment, "UpdateDeployment")

    def operation(self, deployment: OnlineDeployment, kind: str, steps: tuple[str, ...] = STEPS) -> Operation:
        operation = Operation.objects.create(
            kind=kind,
            endpoint_name=deployment.endpoint.name,
            deployment_name=deployment.name,
            generation=deployment.generation,
        )
        for order, key in enumerate(steps):
            OperationStep.objects.create(operation=operation, order=order, key=key, title=key)
        return operation

    def delete(self, deployment: OnlineDeployment) -> Operation:
        deployment.refresh_from_db()
        deployment.generation += 1
        deployment.deletion_requested_at = self.clock.now()
        deployment.save(update_fields=["generation", "deletion_requested_at"])
        return self.operation(deployment, "DeleteDeployment", DELETE_STEPS)

    def reconcile(self, deployment: OnlineDeployment, *, for_s: float = 60.0) -> OnlineDeployment:
        """Turn after turn, as sweep and wakes would have them, until it is settled, gone, or the time is over.

        Returns it as it is then; as it was, if it is gone.
        """
        ends_at = self.clock.now() + timedelta(seconds=for_s)
        while self.clock.now() <= ends_at:
            reconcile(deployment.pk, clock=self.clock)
            row = OnlineDeployment.objects.select_related("endpoint").filter(pk=deployment.pk).first()
            if row is None:
                return deployment
            if row.next_look_at is None and row.observed_generation >= row.generation:
                return row
            wait = (row.next_look_at - self.clock.now()).total_seconds() if row.next_look_at else 0.0
            self.clock.sleep(max(0.05, wait))
        deployment.refresh_from_db()
        return deployment

    def instances(self, deployment: OnlineDeployment, *states: str) -> list[Instance]:
        rows = Instance.objects.filter(deployment=deployment).order_by("created_at", "pk")
        return list(rows.filter(state__in=states) if states else rows)

    def newest_operation(self, deployment: OnlineDeployment) -> Operation:
        rows = Operation.objects.filter(endpoint_name=deployment.endpoint.name, deployment_name=deployment.name)
        return rows.latest("generation")

    def sicken(self, instance: Instance, detail: str) -> None:
        self.sick[instance.port] = Answer(is_ok=False, detail=detail)

    def steps(self, operation: Operation) -> dict[str, tuple[str, str]]:
        return {step.key: (step.state, step.detail) for step in operation.steps.all()}

    def script(self, _: DeploymentRef, start: StartInstance) -> Script:
        return self.scripts.get(start.template.revision, Script(starts_in_s=0.2))

    def answer(self, targets: dict[Any, Target]) -> dict[Any, Answer]:
        return {name: self.sick.get(target.port, Answer(is_ok=True)) for name, target in targets.items()}


def failure_of(row: OnlineDeployment | Operation | EnvironmentBuild) -> dict[str, Any]:
    """The stored failure; there has to be one."""
    assert row.failure is not None
    failure: dict[str, Any] = row.failure
    return failure


@pytest.fixture
def studio(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Studio:
    """A fresh one, in a data folder of its own, with a broker that only remembers what it was asked."""
    clock = FakeClock()
    woken: list[tuple[Any, ...]] = []
    studio = Studio(clock, FakeBackend(now=clock.now), woken, tmp_path)
    studio.target.script = studio.script
    settings.SLIPWAY_HOME = tmp_path
    settings.SLIPWAY_REDIS_URL = f"unix://{tmp_path}/no-redis.sock"
    makers: dict[str, Callable[..., Any]] = {"fake": lambda _: studio.target}
    monkeypatch.setattr(registry, "_MAKERS", makers)
    monkeypatch.setattr(observe, "ask_all", studio.answer)
    monkeypatch.setattr(waking, "wake", lambda task, *args: woken.append((task, *args)))
    # Leases last as long as the fake clock says; the thread that keeps real ones has no place in a test's transaction.
    monkeypatch.setattr(leases, "RENEW_S", 3600.0)
    sweep.forget_settings()
    return studio
