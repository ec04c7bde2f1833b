"""Brings the instance rows up to date with what the target reports and what the probes answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.db.models import Q

from endpoints.backends.base import Backend, DeploymentRef, ObservedInstance, Phase
from endpoints.control import failures, probes
from endpoints.control.clock import Clock
from endpoints.control.plan import Member
from endpoints.control.probes import Answer, Health, Kind
from endpoints.control.probing import Target, ask_all
from endpoints.control.wanted import RunSettings
from endpoints.models import Instance, OnlineDeployment
from endpoints.spec.failure import Failure
from endpoints.spec.states import InstanceState

# Failures older than this no longer decide how long a replacement waits; longer than any wait and start together.
MEMORY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sight:
    """An instance row as it is now, and the target's own word on it (None: the target does not have it)."""

    row: Instance
    observed: ObservedInstance | None

    @property
    def is_ready(self) -> bool:
        return self.row.state == InstanceState.READY

    @property
    def is_unplaced(self) -> bool:
        """Recorded, but the target never showed it: the start may have been lost."""
        row = self.row
        return self.observed is None and row.ended_at is None and not row.port and row.pid is None

    def as_member(self) -> Member:
        row = self.row
        return Member(
            id=row.pk,
            revision=row.revision,
            generation=row.generation,
            state=InstanceState(row.state),
            created_at=row.created_at,
            ready_at=row.ready_at,
            unready_since=row.unready_since,
            draining_at=row.draining_at,
            ended_at=row.ended_at,
            failure=msgspec.convert(row.failure, Failure) if row.failure else None,
            is_present=self.observed is not None or row.ended_at is None,
        )


def observe(
    deployment: OnlineDeployment,
    backend: Backend,
    *,
    reference: DeploymentRef,
    settings: Callable[[int], RunSettings],
    clock: Clock,
) -> list[Sight]:
    """Look at every instance once: the target's report, then the probes that are due. Saves what changed."""
    observed = {each.instance_id: each for each in backend.observe(reference)}
    rows = _rows(deployment, observed.values(), clock.now())
    before = {row.pk: _written(row) for row in rows}
    sights = [Sight(row, observed.get(row.pk)) for row in rows]
    for sight in sights:
        _take_report(sight, backend, reference, clock.now())
    _probe(sights, settings, backend, reference, clock)
    for row in rows:
        if _written(row) != before[row.pk]:
            row.save()
    return sights


def _written(row: Instance) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in Instance._meta.concrete_fields}


def _rows(deployment: OnlineDeployment, observed: Iterable[ObservedInstance], now: datetime) -> list[Instance]:
    """Rows of all that lives, lately failed, or is still there; what the target has and nobody recorded is adopted."""
    is_recent = Q(state=InstanceState.FAILED, ended_at__gt=now - MEMORY)
    names = [each.instance_id for each in observed]
    relevant = Q(ended_at=None) | is_recent | Q(pk__in=names)
    rows = {row.pk: row for row in Instance.objects.filter(relevant, deployment=deployment).order_by("created_at")}
    for each in observed:
        if each.instance_id not in rows:
            rows[each.instance_id] = Instance.objects.create(
                id=each.instance_id, deployment=deployment, revision=each.revision, generation=deployment.generation
            )
    return list(rows.values())


# The target's report -------------------------------------------------------------------------------------------


def _take_report(sight: Sight, backend: Backend, reference: DeploymentRef, now: datetime) -> None:
    row, observed = sight.row, sight.observed
    if row.ended_at:
        return
    if observed is None:
        _miss(sight, now)
        return
    row.host, row.port, row.pid = observed.host, observed.port, observed.pid
    if observed.phase is Phase.EXITED:
        row.exit_code = observed.exit_code
        if row.stop_asked_at:
            _end(row, InstanceState.STOPPED, now)
        else:
            fail(row, failures.of_ended(observed, backend, reference), now)
    elif observed.phase is Phase.STOPPING and row.state != InstanceState.DRAINING:
        row.state, row.draining_at = InstanceState.DRAINING, now


def _miss(sight: Sight, now: datetime) -> None:
    if sight.row.stop_asked_at:
        _end(sight.row, InstanceState.STOPPED, now)
    elif not sight.is_unplaced:
        fail(sight.row, failures.of_vanished(sight.row.pk), now)


def _end(row: Instance, state: InstanceState, now: datetime) -> None:
    row.state, row.ended_at, row.port = state, now, 0


def fail(row: Instance, failure: Failure, now: datetime) -> None:
    """The instance is lost; its row keeps why."""
    row.reason, row.failure = failure.message, msgspec.to_builtins(failure)
    _end(row, InstanceState.FAILED, now)


# Probes --------------------------------------------------------------------------------------------------------


def _probe(
    sights: Iterable[Sight],
    settings: Callable[[int], RunSettings],
    backend: Backend,
    reference: DeploymentRef,
    clock: Clock,
) -> None:
    living = [sight for sight in sights if sight.observed and not sight.row.ended_at and not sight.row.draining_at]
    due = {
        sight.row.pk: probes.due(health_of(sight.row), settings(sight.row.revision), clock.now()) for sight in living
    }
    answers = ask((sight.row, settings(sight.row.revision), due[sight.row.pk]) for sight in living)
    for sight in living:
        row = sight.row
        verdict = probes.judge(health_of(row), settings(row.revision), answers.get(row.pk, {}), clock.now())
        _take_health(row, verdict)
        if verdict.state is InstanceState.FAILED and verdict.failure:
            fail(row, failures.with_log_tail(verdict.failure, row.pk, backend, reference), clock.now())


def ask(due: Iterable[tuple[Instance, RunSettings, frozenset[Kind]]]) -> Mapping[str, Mapping[Kind, Answer]]:
    """Make the due probes of all these instances at once; two kinds with one path are one request."""
    targets: dict[tuple[str, str, int], Target] = {}
    kinds: dict[tuple[str, str, int], list[Kind]] = {}
    for row, settings, wanted in due:
        for kind in wanted if row.port else ():
            is_readiness, paths = kind is Kind.READINESS, settings.paths
            path = paths.readiness if is_readiness else paths.liveness
            port = (paths.readiness_port if is_readiness else paths.liveness_port) or row.port
            probe = settings.readiness if is_readiness else settings.liveness
            targets[row.pk, path, port] = Target(row.host, port, path, float(probe.timeout))
            kinds.setdefault((row.pk, path, port), []).append(kind)
    answers: dict[str, dict[Kind, Answer]] = {}
    for place, answer in ask_all(targets).items():
        answers.setdefault(place[0], {}).update(dict.fromkeys(kinds[place], answer))
    return answers


def health_of(row: Instance) -> Health:
    return Health(
        state=InstanceState(row.state),
        created_at=row.created_at,
        ready_at=row.ready_at,
        unready_since=row.unready_since,
        successes=row.probe_successes,
        failures=row.probe_failures,
        probed_at=row.probed_at,
        liveness_failures=row.liveness_failures,
        liveness_probed_at=row.liveness_probed_at,
    )


def _take_health(row: Instance, health: Health) -> None:
    row.state, row.ready_at, row.unready_since = health.state, health.ready_at, health.unready_since
    row.probe_successes, row.probe_failures, row.probed_at = health.successes, health.failures, health.probed_at
    row.liveness_failures, row.liveness_probed_at = health.liveness_failures, health.liveness_probed_at
