"""One worker's turn at one deployment: single looks, each of them observe, plan, act, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from endpoints.backends.base import Backend, DeploymentRef, InstanceTemplate, Permanent, StartInstance, StopInstance
from endpoints.backends.base import Plan as TargetPlan
from endpoints.control import apply, environments, routes, settling, targets
from endpoints.control.clock import Clock
from endpoints.control.leases import Lease
from endpoints.control.observe import Sight, observe
from endpoints.control.plan import SOON_S, Decision, Outcome, plan
from endpoints.control.progress import StepWriter
from endpoints.control.wanted import Revisions, desired
from endpoints.models import DeploymentRevision, OnlineDeployment, Operation
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

# A lost wake may cost this much, whatever the plan would wait for.
LONGEST_WAIT_S = 10.0
BUILDING_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found, and what it decided."""

    deployment: OnlineDeployment
    backend: Backend
    reference: DeploymentRef
    sights: Sequence[Sight]
    decision: Decision

    @property
    def is_settled(self) -> bool:
        return self.deployment.observed_generation >= self.deployment.generation


class Turn:
    """Keeps between looks what cannot change (revisions) and what was written already (routes, steps)."""

    def __init__(self, deployment_id: int, clock: Clock, lease: Lease) -> None:
        self._id = deployment_id
        self._clock = clock
        self._lease = lease
        self._revisions = Revisions(deployment_id)
        self._steps = StepWriter(clock)
        self._routed: frozenset[str] | None = None
        self._generation = 0
        self._is_first_look = True

    def look(self) -> float | None:
        """One step. Seconds until the next can find something new; None when there is nothing left to do."""
        deployment = OnlineDeployment.objects.select_related("endpoint").filter(pk=self._id).first()
        if deployment is None:
            return None
        if deployment.generation != self._generation:
            settling.progress_of(deployment).begin(now=self._clock.now())
            self._generation = deployment.generation
        wait_s = self._act(self._find_out(deployment))
        self._is_first_look = False
        return wait_s

    def look_again_in(self, wait_s: float | None) -> None:
        """Leave word for the sweep; None: settled, until something changes."""
        at = None if wait_s is None else self._clock.now() + timedelta(seconds=min(wait_s, LONGEST_WAIT_S))
        OnlineDeployment.objects.filter(pk=self._id).update(next_look_at=at)

    def _find_out(self, deployment: OnlineDeployment) -> Look:
        backend, reference = targets.backend_of(deployment), targets.reference(deployment)
        sights = observe(deployment, backend, reference=reference, settings=self._revisions.settings, clock=self._clock)
        wanted = desired(deployment, self._revisions.settings(deployment.revision))
        decision = plan(wanted, (sight.as_member() for sight in sights), self._clock.now())
        return Look(deployment, backend, reference, sights, decision)

    # Acting ----------------------------------------------------------------------------------------------------

    def _act(self, look: Look) -> float | None:
        """Routes before stops, stops before starts, and the end of the generation last."""
        apply.drain(look.decision.drain, self._clock)
        self._publish(look)
        self._steps.show(look.deployment, look.sights)
        self._stop(look)
        if look.decision.outcome is Outcome.GONE:
            look.backend.remove(look.reference)
            settling.forget(look.deployment, self._clock)
            return None
        if look.decision.outcome is Outcome.FAILED and look.decision.failure:
            settling.give_up(look.deployment, look.decision.failure, self._clock)
            return SOON_S
        if look.decision.outcome is Outcome.DONE:
            self._settle(look)
            return None
        is_building = not self._start_lost_ones(look) or not self._start(look)
        if look.is_settled and not look.deployment.deletion_requested_at:
            settling.show_crash_loop(look.deployment, look.sights)
        return BUILDING_S if is_building else look.decision.look_in_s

    def _publish(self, look: Look) -> None:
        """Tell the gateways where the set of ready instances is not the one they were told last."""
        ready = frozenset(sight.row.pk for sight in look.sights if sight.is_ready) - set(look.decision.drain)
        if ready == self._routed:
            return
        if look.deployment.ready_instances != len(ready):
            OnlineDeployment.objects.filter(pk=self._id).update(ready_instances=len(ready))
        routes.publish([look.deployment.endpoint.name])
        self._routed = ready

    def _stop(self, look: Look) -> None:
        stops = look.decision.stop
        if stops:
            apply.mark_stopping(stops, look.sights, self._clock)
            ends = tuple(StopInstance(name, grace_s) for name, grace_s in stops)
            look.backend.apply(TargetPlan(look.reference, stop=ends))

    def _settle(self, look: Look) -> None:
        if look.is_settled:
            settling.clear_trouble(look.deployment)
        else:
            settling.succeed(look.deployment, self._clock)

    # Starting --------------------------------------------------------------------------------------------------

    def _start(self, look: Look) -> bool:
        """Start what was decided; False while its environment is being built."""
        decision = look.decision
        if not decision.start:
            return True
        template = self._prepare(look, self._revisions.row(decision.start_revision))
        if template is None:
            return False
        self._lease.renew()  # staging may have taken long: nobody else may have started these meanwhile
        rows = apply.new_instances(look.deployment, decision, self._clock)
        self._send(look, [row.pk for row in rows], template)
        return True

    def _start_lost_ones(self, look: Look) -> bool:
        """A worker died between writing instances down and starting them: start them under the same names."""
        lost = [sight.row for sight in look.sights if sight.is_unplaced and not sight.row.draining_at]
        if not lost or not self._is_first_look:
            return True
        for number in {row.revision for row in lost}:
            template = self._prepare(look, self._revisions.row(number))
            if template is None:
                return False
            self._send(look, [row.pk for row in lost if row.revision == number], template)
        return True

    def _send(self, look: Look, names: Sequence[str], template: InstanceTemplate) -> None:
        starts = tuple(StartInstance(name, template) for name in names)
        look.backend.apply(TargetPlan(look.reference, start=starts))

    def _prepare(self, look: Look, revision: DeploymentRevision) -> InstanceTemplate | None:
        """Environment, model and code where instances will find them; None while the environment is being built."""
        deployment, version = look.deployment, revision.environment_version
        if version is None:
            raise Permanent(_NO_ENVIRONMENT)
        target, since = targets.build_target(deployment.backend), _accepted_at(deployment)
        runtime = environments.runtime_of(version, target, since=since, clock=self._clock)
        if runtime is None:
            self._steps.run(deployment, "environment", "building")
            return None
        settling.show_warnings(deployment, environments.warnings_of(version, target))
        self._steps.finish(deployment, "environment", environments.build_detail(version, target, since=since))
        self._steps.run(deployment, "staged")
        template = targets.template(revision, runtime)
        look.backend.stage(look.reference, template)
        self._steps.finish(deployment, "staged")
        return template


_NO_ENVIRONMENT = Failure(
    code=FailureCode.BAD_ARGUMENT,
    message="The deployment names no environment to run in.",
    advice="Add `environment` to the deployment's file.",
)


def _accepted_at(deployment: OnlineDeployment) -> datetime:
    """When the change that is worked on was accepted: builds that failed before it are tried anew."""
    operations = Operation.objects.filter(
        endpoint_name=deployment.endpoint.name, deployment_name=deployment.name, generation=deployment.generation
    )
    at: datetime | None = operations.order_by("-created_at").values_list("created_at", flat=True).first()
    return at or deployment.updated_at
