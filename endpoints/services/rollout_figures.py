"""What a rollout is judged by and what is kept of it: both deployments in the same windows, a breach's evidence."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from endpoints.backends.instance_logs import InstanceLogs
from endpoints.control.canary import Decision, Facts, Gate, Judgement, Side, Sight, is_same_split
from endpoints.models import Instance, OnlineDeployment, OnlineEndpoint, Operation, Rollout, RolloutStage
from endpoints.services import rollout_moves as moves
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogFilter, read, render, tail
from endpoints.spec.rollout_document import RolloutDocument
from endpoints.spec.states import InstanceState
from endpoints.telemetry import close
from endpoints.telemetry.close import Measured, gate_metric

# A batch of counters may begin a second before the split it ends under.
SETTLING = timedelta(seconds=1)
FRESH_S = 10
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Both deployments in one window."""

    new: Measured
    old: Measured
    start_s: int
    end_s: int

    def sight(self) -> Sight:
        return Sight(Side(self.new.requests, self.new.values), Side(self.old.requests, self.old.values))

    def to_json(self) -> dict[str, object]:
        return {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "new": self.new.to_json(),
            "old": self.old.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Look:
    """Everything one turn found out."""

    facts: Facts
    recent: Pair
    whole: Pair


def look(rollout: Rollout, stage: RolloutStage, *, now: datetime) -> Look:
    """Measure what gates need, and see whether anything else speaks for an end."""
    document = RolloutDocument.read(rollout.document)
    metrics = _metrics(document)
    assert stage.started_at is not None  # noqa: S101  a stage that runs has begun
    since = min(stage.started_at + SETTLING, now)
    whole = _pair(rollout, since, now, metrics)
    recent_since = now - timedelta(seconds=document.window_seconds)
    recent = whole if recent_since <= since else _pair(rollout, recent_since, now, metrics)
    endpoint = OnlineEndpoint.objects.get(pk=rollout.endpoint_id)
    newest_s = close.newest_second(endpoint.name)
    facts = Facts(
        recent=recent.sight(),
        whole=whole.sight(),
        baseline=rollout.baseline,
        is_fresh=newest_s is not None and newest_s >= now.timestamp() - FRESH_S,
        trouble=_trouble(rollout, stage.started_at),
        gone=gone_text(rollout),
        foreign=foreign_text(rollout, stage, endpoint),
    )
    return Look(facts, recent, whole)


def _metrics(document: RolloutDocument) -> set[str]:
    return {gate_metric(gate.metric, field_name="gates").name for gate in document.gates}


def _pair(rollout: Rollout, since: datetime, until: datetime, metrics: Collection[str]) -> Pair:
    window = close.stretch(since, until, is_close=True)
    new, old = (
        close.measure(rollout.endpoint.name, name, window, metrics)
        for name in (rollout.to_deployment, rollout.from_deployment)
    )
    return Pair(new, old, window.start_s, window.end_s)


def known_values(measured: Measured, least: int) -> dict[str, float]:
    """What was measured of the old deployment, where it had requests enough to be compared with."""
    if measured.requests < least:
        return {}
    return {name: value for name, value in measured.values.items() if value is not None}


def first_baseline(rollout: Rollout, wanted: RolloutDocument, *, now: datetime) -> dict[str, float]:
    """The old deployment just before the start, for a first stage that leaves it nothing."""
    since = now - timedelta(seconds=max(wanted.window_seconds, 60))
    window = close.stretch(since, now, is_close=False)
    measured = close.measure(rollout.endpoint.name, rollout.from_deployment, window, _metrics(wanted))
    return known_values(measured, wanted.min_requests)


# What speaks against going on -----------------------------------------------------------------------------------


def _trouble(rollout: Rollout, since: datetime) -> str:
    """Why the new deployment does not serve as it should, "" where it does."""
    new = OnlineDeployment.objects.filter(endpoint=rollout.endpoint_id, name=rollout.to_deployment).first()
    if new is None:
        return ""
    # One that is rolling, or waking up from sleep, is on its way: what it comes to will be seen.
    is_settled = new.observed_generation >= new.generation
    if new.failure and is_settled:
        return f"{new.name} failed: {new.failure['message']}"
    if new.instance_count and not new.ready_instances and is_settled:
        return f"{new.name} has lost all of its instances."
    died = Instance.objects.filter(deployment=new, state=InstanceState.FAILED, ended_at__gte=since)
    if row := died.order_by("ended_at").first():
        return f"{new.name} lost the instance {row.pk}: {row.reason or 'it ended by itself'}"
    return ""


def gone_text(rollout: Rollout) -> str:
    """Which of the two deployments is gone or going, "" for none."""
    live = OnlineDeployment.objects.filter(endpoint=rollout.endpoint_id, deletion_requested_at=None)
    names = set(live.values_list("name", flat=True))
    missing = [name for name in (rollout.from_deployment, rollout.to_deployment) if name not in names]
    return f"{missing[0]} was deleted; the split stays as it is." if missing else ""


def foreign_text(rollout: Rollout, stage: RolloutStage, endpoint: OnlineEndpoint) -> str:
    """Who set another split than the stage's, "" where it is the stage's."""
    if endpoint.deletion_requested_at:
        return "The endpoint is being deleted."
    if is_same_split(endpoint.traffic, moves.split_of(rollout, stage.percent)):
        return ""
    split = " ".join(f"{name}={share}" for name, share in endpoint.traffic.items() if share) or "nothing"
    changes = Operation.objects.filter(endpoint_name=endpoint.name, kind="UpdateEndpoint", created_by__isnull=False)
    last = changes.select_related("created_by").order_by("-created_at").first()
    by = f" by {last.created_by.get_username()}" if last and last.created_by else ""
    return f"The traffic was set to {split}{by}; it stays so."


# What is kept ------------------------------------------------------------------------------------------------


def close_figures(rollout: Rollout, *, now: datetime) -> None:
    """Keep both deployments' figures of the stage that ends, with a chart."""
    stage = moves.stage_now(rollout)
    since = stage.started_at or now
    names = (rollout.from_deployment, rollout.to_deployment)
    figures = _pair(rollout, min(since + SETTLING, now), now, ()).to_json()
    figures["chart"] = close.chart(rollout.endpoint.name, names, since, now)
    rollout.stages.filter(number=stage.number).update(figures=figures)


def evidence_of(decision: Decision, found: Look) -> dict[str, Any]:
    """Why the rollout went back: what was measured, and every gate's verdict."""
    pair = found.recent if decision.broken is None or decision.broken.is_recent else found.whole
    return {
        "broken": _judged(decision.broken) if decision.broken else None,
        "gates": [_judged(one) for one in decision.judgements],
        "window": pair.to_json(),
        "log": [],
    }


def _judged(one: Judgement) -> dict[str, Any]:
    values = {
        "metric": one.gate.metric,
        "verdict": str(one.verdict),
        "value": one.value,
        "limit": one.limit,
        "bound": one.bound,
        "old_value": one.old_value,
        "is_recent": one.is_recent,
    }
    return {**values, "gate": _bounds(one.gate)}


def _bounds(gate: Gate) -> dict[str, float]:
    bounds = {name: getattr(gate, name) for name in ("max", "min", "max_ratio", "max_increase")}
    return {name: value for name, value in bounds.items() if value is not None}


def log_lines(rollout: Rollout, since: datetime) -> list[str]:
    """The last lines of the new deployment's errors since then; of anything where there is no error."""
    folder = Home(settings.SLIPWAY_HOME).deployment_logs(rollout.endpoint.name, rollout.to_deployment)
    sources = InstanceLogs(folder).sources()
    for level in ("ERROR", ""):
        where = LogFilter(since=since, level=level)
        logs = [read(one.path, instance_id=one.instance_id, where=where, lines=LOG_LINES) for one in sources]
        found = tail(logs, LOG_LINES)
        if found:
            return [render(line) for line in found]
    return []
