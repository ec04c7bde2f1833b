"""Readiness and liveness, judged. Pure: answers and time come in, the instance's health goes out.

`initial_delay` only forgives failures: a success counts at once, so a deployment is ready as soon as init() is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from endpoints.control.wanted import RunSettings
from endpoints.spec.deployment_document import Probe
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, InstanceState


class Kind(StrEnum):
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe got: `detail` reads on after "probe failed: "."""

    is_ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """One instance's state and what led to it. Counts are of answers in a row."""

    state: InstanceState
    created_at: datetime
    ready_at: datetime | None = None
    unready_since: datetime | None = None
    successes: int = 0
    failures: int = 0
    probed_at: datetime | None = None
    liveness_failures: int = 0
    liveness_probed_at: datetime | None = None
    failure: Failure | None = None


def due(health: Health, settings: RunSettings, now: datetime) -> frozenset[Kind]:
    """Which probes to make now."""
    if health.state is InstanceState.STARTING:
        # The first success counts at once, so it is looked for at every turn; any further ones have to stand apart.
        is_waiting = health.successes and not _has_passed(health.probed_at, settings.readiness.period, now)
        return frozenset() if is_waiting else frozenset({Kind.READINESS})
    if health.state not in (InstanceState.READY, InstanceState.UNREADY):
        return frozenset()
    kinds = set[Kind]()
    if _has_passed(health.probed_at, settings.readiness.period, now):
        kinds.add(Kind.READINESS)
    if _has_passed(health.liveness_probed_at or health.ready_at, settings.liveness.period, now):
        kinds.add(Kind.LIVENESS)
    return frozenset(kinds)


def judge(health: Health, settings: RunSettings, answers: Mapping[Kind, Answer], now: datetime) -> Health:
    """The health after these answers. One still starting may fail with no answer at all, by the time it took."""
    if readiness := answers.get(Kind.READINESS):
        health = _judge_readiness(health, settings.readiness, readiness, now)
    if liveness := answers.get(Kind.LIVENESS):
        health = _judge_liveness(health, settings, liveness, now)
    if health.state is InstanceState.STARTING and not health.successes:
        return _judge_start(health, settings, answers.get(Kind.READINESS), now)
    return health


def _has_passed(since: datetime | None, seconds: float, now: datetime) -> bool:
    return since is None or now - since >= timedelta(seconds=seconds)


def _judge_readiness(health: Health, probe: Probe, answer: Answer, now: datetime) -> Health:
    health = replace(health, probed_at=now)
    if not answer.is_ok:
        health = replace(health, successes=0, failures=health.failures + 1)
        if health.state is InstanceState.READY and health.failures >= probe.failure_threshold:
            return replace(health, state=InstanceState.UNREADY, unready_since=now)
        return health
    health = replace(health, successes=health.successes + 1, failures=0)
    if health.state is not InstanceState.READY and health.successes >= probe.success_threshold:
        return replace(
            health, state=InstanceState.READY, ready_at=health.ready_at or now, unready_since=None, failures=0
        )
    return health


def _judge_liveness(health: Health, settings: RunSettings, answer: Answer, now: datetime) -> Health:
    failures = 0 if answer.is_ok else health.liveness_failures + 1
    health = replace(health, liveness_probed_at=now, liveness_failures=failures)
    if failures < settings.liveness.failure_threshold:
        return health
    where = _own_route(settings, Kind.LIVENESS)
    failure = Failure(
        code=FailureCode.CRASH_LOOP_BACK_OFF,
        message=f"The liveness probe failed {failures} times in a row: {where}{answer.detail}.",
        advice=f"Something in the {'image' if where else 'script'} blocks or broke the server; its log shows what it "
        "did last.",
    )
    return replace(health, state=InstanceState.FAILED, failure=failure)


def _judge_start(health: Health, settings: RunSettings, last: Answer | None, now: datetime) -> Health:
    if not _has_passed(health.created_at, settings.start_window_s, now):
        return health
    where = _own_route(settings, Kind.READINESS)
    detail = f" Its last probe failed: {where}{last.detail}." if last and last.detail else ""
    failure = Failure(
        code=FailureCode.RESOURCE_NOT_READY,
        message=f"The instance was not ready {settings.start_window_s:g} s after its start.{detail}",
        advice=_OWN_SERVER_ADVICE if where else _SCRIPT_ADVICE,
    )
    return replace(health, state=InstanceState.FAILED, failure=failure)


_SCRIPT_ADVICE = (
    "If init() needs longer, raise initial_delay or failure_threshold of readiness_probe and liveness_probe; "
    "if not, its log shows where it hangs."
)
_OWN_SERVER_ADVICE = (
    "Compare the routes and ports of inference_config with what the image's server listens on (on all addresses, not "
    "127.0.0.1 alone). If it needs longer, raise initial_delay or failure_threshold of readiness_probe and "
    "liveness_probe; its log shows what it does."
)


def _own_route(settings: RunSettings, kind: Kind) -> str:
    """What was asked of an image's own server, to read on after; "" for ours, whose route nobody chose."""
    if not settings.has_own_server:
        return ""
    paths = settings.paths
    path, port = (
        (paths.readiness, paths.readiness_port) if kind is Kind.READINESS else (paths.liveness, paths.liveness_port)
    )
    return f"GET {path} on port {port or settings.own_server_port}: "
