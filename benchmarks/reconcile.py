"""What the reconciler costs with 1,000 deployments of 3 instances: one sweep, and one change beside all the others.

The target is the fake one and every probe is answered at once: what is measured is the reconciler, its database and
the route table. Time passes only in its sleeps. Every sweep finds every probe due, the most a sweep can have to do.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from endpoints.backends.base import InstanceTemplate
    from endpoints.backends.fake import FakeBackend
    from endpoints.models import OnlineDeployment

OUT = Path(__file__).parent / "out" / "reconcile.json"
DEPLOYMENTS, FEW, INSTANCES = 1000, 100, 3
SWEEP_LIMIT_S = 2.0
# Noise of a shared machine; a cost that grew with what exists would show as ten.
LINEAR_WITHIN = 1.5
ROUNDS = 3


def main() -> None:
    """Measure few and many, each in a process and a database of its own."""
    figures = {}
    for count in (FEW, DEPLOYMENTS):
        with tempfile.TemporaryDirectory() as home:
            environ = {**os.environ, "SLIPWAY_HOME": home, "DJANGO_SETTINGS_MODULE": "studio.settings"}
            command = [sys.executable, "-m", "benchmarks.reconcile", str(count)]
            done = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
        figures[count] = json.loads(done.stdout.splitlines()[-1])
        print(count, "deployments, seconds:", {what: round(value, 4) for what, value in figures[count].items()})
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(list(rows(figures[FEW], figures[DEPLOYMENTS])), indent=2), encoding="utf-8")


def rows(few: Mapping[str, float], many: Mapping[str, float]) -> list[dict[str, object]]:
    """Ratios for `python -m benchmarks`."""
    by_number = many["change of 100"] / (10 * many["change of 10"])
    by_others = many["change of 10"] / few["change of 10"]
    sweep = f"one sweep over {DEPLOYMENTS} deployments of {INSTANCES}, of {SWEEP_LIMIT_S:g} s"
    return [
        {"what": sweep, "ratio": many["sweep"] / SWEEP_LIMIT_S, "target": 1.0, "better": "lower"},
        {"what": "a roll of 100 to ten rolls of 10", "ratio": by_number, "target": LINEAR_WITHIN, "better": "lower"},
        {
            "what": f"a roll among {DEPLOYMENTS} to the same among {FEW}",
            "ratio": by_others,
            "target": LINEAR_WITHIN,
            "better": "lower",
        },
    ]


@dataclass
class Clock:
    """Sleeping is the only way time passes."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Studio:
    """Records, the fake target, and the tasks that would be at the workers."""

    clock: Clock
    target: FakeBackend
    tasks: list[int] = field(default_factory=list)

    def sweep(self) -> None:
        from endpoints.control.sweep import sweep

        sweep(clock=self.clock)

    def work(self) -> None:
        """What workers do: take up what is due, until all is settled."""
        from django.db.models import F

        from endpoints.control.reconcile import reconcile
        from endpoints.models import OnlineDeployment

        while True:
            for pk in dict.fromkeys(self.tasks):
                reconcile(pk, clock=self.clock, slice_s=30.0)
            self.tasks.clear()
            open_ones = OnlineDeployment.objects.filter(observed_generation__lt=F("generation"))
            self.tasks += open_ones.values_list("pk", flat=True)
            if not self.tasks:
                return
            self.clock.sleep(0.5)


def measure(count: int) -> dict[str, float]:
    """Median seconds: of a sweep by the clock, of a change by the CPU, so that a busy machine tells the same."""
    studio = prepare()
    fill(studio, count)
    studio.sweep()
    studio.work()
    return {
        "sweep": median(lambda number: idle(studio), ROUNDS),
        "change of 10": median(lambda number: roll(studio, 10, number + 2), ROUNDS),
        "change of 100": median(lambda number: roll(studio, 100, number + 2 + ROUNDS), 1),
    }


def median(one: Callable[[int], float], rounds: int) -> float:
    return statistics.median(one(number) for number in range(rounds))


def idle(studio: Studio) -> float:
    """One sweep in which nothing changed."""
    studio.clock.sleep(11)
    begun = time.perf_counter()
    studio.sweep()
    seconds = time.perf_counter() - begun
    assert not studio.tasks, "nothing changed, and yet there is something to do"
    return seconds


def roll(studio: Studio, how_many: int, revision: int) -> float:
    """Give so many deployments a new revision and bring them all to it: seconds of this process's CPU."""
    from django.db.models import F

    from endpoints.models import DeploymentRevision, OnlineDeployment

    names = list(OnlineDeployment.objects.order_by("pk").values_list("pk", flat=True)[:how_many])
    first = DeploymentRevision.objects.filter(deployment__in=names, number=1)
    fresh = [
        DeploymentRevision(
            deployment_id=one.deployment_id,
            number=revision,
            spec=one.spec,
            environment_version_id=one.environment_version_id,
        )
        for one in first
    ]
    DeploymentRevision.objects.bulk_create(fresh)
    OnlineDeployment.objects.filter(pk__in=names).update(revision=revision, generation=F("generation") + 1)
    begun = time.process_time()
    studio.tasks += names
    studio.work()
    seconds = time.process_time() - begun
    reached = OnlineDeployment.objects.filter(pk__in=names, observed_revision=revision).count()
    assert reached == how_many, f"{reached} of {how_many} rolled"
    return seconds


def prepare() -> Studio:
    """An empty studio whose target, probes and broker are in memory."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from endpoints.backends import registry
    from endpoints.backends.fake import FakeBackend
    from endpoints.control import observe, waking
    from endpoints.control.probes import Answer

    call_command("migrate", verbosity=0)
    clock = Clock(timezone.now() + timedelta(minutes=1))
    studio = Studio(clock, FakeBackend(now=clock.now))
    makers: dict[str, Any] = {"fake": lambda home: studio.target}
    registry._MAKERS = makers
    observe.ask_all = lambda targets: {name: Answer(is_ok=True) for name in targets}  # type: ignore[attr-defined]
    waking.wake = lambda task, *args: studio.tasks.append(int(str(args[0])))
    return studio


def fill(studio: Studio, count: int) -> None:
    """Deployments that run whole, each on an endpoint of its own."""
    from endpoints.backends.base import InstanceTemplate, Runtime
    from endpoints.control import routes
    from endpoints.models import (
        DeploymentRevision,
        Environment,
        EnvironmentBuild,
        EnvironmentVersion,
        OnlineDeployment,
        OnlineEndpoint,
    )

    version = EnvironmentVersion.objects.create(
        environment=Environment.objects.create(name="env"), version="1", build_key="e" * 64
    )
    EnvironmentBuild.objects.create(key="e" * 64, state="Succeeded", result={"python": sys.executable, "image": ""})
    runtime = Runtime(key="e" * 64, python=Path(sys.executable))
    template = InstanceTemplate(revision=1, runtime=runtime, model=None, code_digest="", entry_script="score.py")
    spec = {"instance_type": "Standard_DS3_v2", "code_configuration": {"code": "tree:0", "scoring_script": "score.py"}}
    settled = {"observed_generation": 1, "traffic": {"blue": 100}}
    endpoints = OnlineEndpoint.objects.bulk_create(
        [OnlineEndpoint(name=f"e{number:04}", **settled) for number in range(count)]
    )
    ready = {"observed_generation": 1, "observed_revision": 1, "ready_instances": INSTANCES}
    deployments = OnlineDeployment.objects.bulk_create(
        [
            OnlineDeployment(
                endpoint=one,
                name="blue",
                backend="fake",
                instance_type="Standard_DS3_v2",
                instance_count=INSTANCES,
                **ready,
            )
            for one in endpoints
        ]
    )
    DeploymentRevision.objects.bulk_create(
        [DeploymentRevision(deployment=one, number=1, spec=spec, environment_version=version) for one in deployments]
    )
    _start(studio, deployments, template)
    routes.publish()


def _start(studio: Studio, deployments: Sequence[OnlineDeployment], template: InstanceTemplate) -> None:
    """The instances of each deployment, running and recorded as ready."""
    from endpoints.backends.base import DeploymentRef, Plan, StartInstance
    from endpoints.models import Instance

    now, running = studio.clock.now(), []
    for one in deployments:
        reference = DeploymentRef(one.endpoint.name, one.name)
        names = [f"blue-{one.pk:07x}{number}" for number in range(INSTANCES)]
        studio.target.apply(Plan(reference, start=tuple(StartInstance(name, template) for name in names)))
        running += [
            Instance(
                id=seen.instance_id,
                deployment=one,
                revision=1,
                generation=1,
                state="Ready",
                host=seen.host,
                port=seen.port,
                pid=seen.pid,
                created_at=now,
                ready_at=now,
            )
            for seen in studio.target.observe(reference)
        ]
    Instance.objects.bulk_create(running, batch_size=500)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
