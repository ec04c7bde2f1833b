"""Every two seconds: what fell due gets its own task, what runs is glanced at. Its cost is that of what changed.

A glance reads and probes; it writes nothing but the time of a good probe. Whatever looks odd is the reconciler's.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from django.db.models import F, Q

from endpoints.backends.base import ObservedInstance, Permanent, Phase
from endpoints.control import environments, hosts, leases, routes, targets, waking
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.endpoints import finish_due
from endpoints.control.looking import look_at
from endpoints.control.observe import ask, health_of
from endpoints.control.probes import Kind, due
from endpoints.control.wanted import RunSettings, settings_of
from endpoints.models import DeploymentRevision, Instance, OnlineDeployment
from endpoints.spec.states import InstanceState

logger = logging.getLogger(__name__)

# A deployment handed to the workers is not handed to them again before this: they may be busy.
PATIENCE = timedelta(seconds=5)
_one_at_a_time = threading.Lock()
_known_settings: dict[tuple[int, int], RunSettings] = {}
_CHUNK = 500
_Item = TypeVar("_Item")


def sweep(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """One round. A round that is still under way in this process is not doubled."""
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        finish_due(clock=clock)
        hand_over(_due(clock), clock)
        hand_over(glance(clock=clock), clock)
        environments.wake_due(clock=clock)
        routes.repair()
    finally:
        _one_at_a_time.release()


def glance_here(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """The glance of a host whose worker does not sweep this time."""
    hand_over(glance(clock=clock, among=hosts.only_ours()), clock)


def hand_over(deployments: Iterable[int], clock: Clock) -> None:
    """Give each of them a task of its own."""
    for pk in deployments:
        OnlineDeployment.objects.filter(leases.free(clock), pk=pk).update(next_look_at=clock.now() + PATIENCE)
        waking.wake(waking.RECONCILE_DEPLOYMENT, pk)


def _due(clock: Clock) -> list[int]:
    """Deployments whose time has come, and changes whose wake was lost."""
    is_changed = Q(observed_generation__lt=F("generation")) | Q(deletion_requested_at__isnull=False)
    is_due = Q(next_look_at__lte=clock.now()) | (Q(next_look_at=None) & (is_changed | hosts.stranded(clock)))
    return list(OnlineDeployment.objects.filter(leases.free(clock), is_due).values_list("pk", flat=True))


# The glance ----------------------------------------------------------------------------------------------------


def glance(*, clock: Clock = SYSTEM_CLOCK, among: Q | None = None) -> set[int]:
    """Look at all that should simply be running; returns the deployments that need more than a glance.

    among: those this worker may look at, unless it is told fewer.
    """
    which = hosts.ours() if among is None else among
    settled = OnlineDeployment.objects.filter(
        which,
        leases.free(clock),
        next_look_at=None,
        deletion_requested_at=None,
        observed_generation__gte=F("generation"),
    )
    deployments = {row.pk: row for row in settled.select_related("endpoint")}
    instances: dict[int, list[Instance]] = {pk: [] for pk in deployments}
    for row in Instance.objects.filter(deployment__in=settled, ended_at=None):
        if row.deployment_id in instances:
            instances[row.deployment_id].append(row)
    reports = _reports(deployments[pk] for pk, rows in instances.items() if rows)
    odd = {pk for pk, rows in instances.items() if not _is_as_recorded(deployments[pk], rows, reports.get(pk))}
    return odd | _probe([row for pk, rows in instances.items() if pk not in odd for row in rows], clock)


def _reports(deployments: Iterable[OnlineDeployment]) -> dict[int, tuple[ObservedInstance, ...]]:
    """What the targets report, by deployment id; those whose target cannot say are left out."""
    by_backend = defaultdict[str, list[OnlineDeployment]](list)
    for deployment in deployments:
        by_backend[deployment.backend].append(deployment)
    reports: dict[int, tuple[ObservedInstance, ...]] = {}
    for group in by_backend.values():
        try:
            backend = targets.backend_of(group[0])
        except Permanent as trouble:
            logger.warning("Cannot look at %s: %s", group[0], trouble)
            continue
        references = {row.pk: targets.reference(row) for row in group}
        report = look_at(backend, tuple(references.values()))
        reports |= {} if report is None else {pk: report[reference] for pk, reference in references.items()}
    return reports


def _is_as_recorded(
    deployment: OnlineDeployment, rows: list[Instance], observed: tuple[ObservedInstance, ...] | None
) -> bool:
    """Whether there are as many instances as there should be, and the target shows them running where they ran.

    A target that could not say (`observed` is None) is asked again; the probes tell whether its instances answer.
    """
    expected = deployment.wanted_instances if deployment.observed_revision else 0
    if len(rows) != expected:
        return False
    if not rows or observed is None:
        return True
    there = {each.instance_id: each.port for each in observed if each.phase is Phase.RUNNING}
    recorded = {row.pk: row.port for row in rows if row.state == InstanceState.READY}
    return there == recorded and len(recorded) == len(observed) == expected


def _probe(rows: list[Instance], clock: Clock) -> set[int]:
    """Make the probes that are due; returns the deployments where one failed."""
    now = clock.now()
    settings = _settings(rows)
    wanted = {row.pk: due(health_of(row), settings[row.deployment_id, row.revision], now) for row in rows}
    answers = ask((row, settings[row.deployment_id, row.revision], wanted[row.pk]) for row in rows if wanted[row.pk])
    odd, good = set[int](), defaultdict[Kind, list[str]](list)
    for row in rows:
        for kind, answer in answers.get(row.pk, {}).items():
            if answer.is_ok:
                good[kind].append(row.pk)
            else:
                odd.add(row.deployment_id)
    for names in _chunks(good[Kind.READINESS]):
        Instance.objects.filter(pk__in=names).update(probed_at=now, probe_failures=0)
    for names in _chunks(good[Kind.LIVENESS]):
        Instance.objects.filter(pk__in=names).update(liveness_probed_at=now, liveness_failures=0)
    return odd


def _settings(rows: list[Instance]) -> dict[tuple[int, int], RunSettings]:
    """By deployment id and revision; a revision never changes, so it is read once in a process's life."""
    missing = {(row.deployment_id, row.revision) for row in rows} - _known_settings.keys()
    if missing:
        owners = {deployment for deployment, _ in missing}
        for chunk in _chunks(sorted(owners)):
            revisions = DeploymentRevision.objects.filter(deployment__in=chunk).select_related("environment_version")
            for revision in revisions:
                _known_settings[revision.deployment_id, revision.number] = settings_of(revision)
    return _known_settings


def forget_settings() -> None:
    """For whoever exchanges the database under a running process."""
    _known_settings.clear()


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """In lots that any database takes as parameters of one statement."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
