"""How a rollout's record and the endpoint's split move together. Every function wants the endpoint's row held."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from endpoints.control.canary import Gate, Plan, Reason, Stage, split_at
from endpoints.models import OnlineDeployment, OnlineEndpoint, Rollout, RolloutStage
from endpoints.services.endpoints import apply_split
from endpoints.spec.rollout_document import RolloutDocument
from endpoints.spec.states import RolloutState, StepState
from endpoints.telemetry.close import gate_metric
from studio.access import actions, audit
from studio.access.models import User


def plan_of(rollout: Rollout) -> Plan:
    """What was planned, as the decision wants it. Gates name metrics as telemetry does."""
    document = RolloutDocument.read(rollout.document)
    gates = tuple(
        Gate(
            metric=gate_metric(gate.metric, field_name="gates").name,
            max=gate.max,
            min=gate.min,
            max_ratio=gate.max_ratio,
            max_increase=gate.max_increase,
        )
        for gate in document.gates
    )
    stages = tuple(Stage(one.percent, one.seconds, one.requests) for one in stages_of(rollout))
    return Plan(stages, gates, document.min_requests, document.timeout_seconds)


def stages_of(rollout: Rollout) -> list[RolloutStage]:
    return list(rollout.stages.order_by("number"))


def stage_now(rollout: Rollout) -> RolloutStage:
    return rollout.stages.get(number=rollout.stage)


def split_of(rollout: Rollout, percent: int) -> dict[str, int]:
    """The endpoint's split with that much on the new deployment."""
    return split_at(rollout.split_before, rollout.from_deployment, rollout.to_deployment, percent)


def who(rollout: Rollout) -> str:
    """In whose name the studio acts, for records of it."""
    creator = rollout.created_by
    return f"Rollout {rollout.number} of {creator.get_username()}" if creator else f"Rollout {rollout.number}"


def enter_stage(rollout: Rollout, endpoint: OnlineEndpoint, number: int, *, now: datetime) -> None:
    """Begin that stage: its split, its row, its time."""
    stage = rollout.stages.get(number=number)
    apply_split(endpoint, split_of(rollout, stage.percent), why=who(rollout))
    rollout.stage, rollout.state, rollout.text = number, RolloutState.RUNNING, ""
    rollout.save(update_fields=["stage", "state", "text", "baseline"])
    rollout.stages.filter(number=number).update(state=StepState.RUNNING, started_at=now)


def leave_stage(rollout: Rollout, state: StepState, detail: str, *, now: datetime) -> None:
    """The stage that ran is over, well or badly."""
    stage = stage_now(rollout)
    stage.state, stage.detail, stage.finished_at = state, detail, now
    if stage.paused_at:
        stage.paused_s += (now - stage.paused_at).total_seconds()
        stage.paused_at = None
    stage.save(update_fields=["state", "detail", "finished_at", "paused_at", "paused_s"])


def go_back(
    rollout: Rollout, endpoint: OnlineEndpoint, reason: Reason, text: str, *, now: datetime, actor: User | None = None
) -> None:
    """The split that stood before stands again, as far as its deployments still exist."""
    there = set(OnlineDeployment.objects.filter(endpoint=endpoint).values_list("name", flat=True))
    before = {name: share for name, share in rollout.split_before.items() if share or name in there}
    apply_split(endpoint, before, why=f"{who(rollout)} goes back")
    leave_stage(rollout, StepState.FAILED, text, now=now)
    finish(rollout, RolloutState.ROLLED_BACK, text, now=now, reason=reason, actor=actor)


def finish(
    rollout: Rollout,
    state: RolloutState,
    text: str,
    *,
    now: datetime,
    reason: Reason | None = None,
    actor: User | None = None,
) -> None:
    """The rollout is over; stages that did not come are skipped."""
    rollout.state, rollout.text, rollout.reason, rollout.finished_at = state, text, reason or "", now
    rollout.save(update_fields=["state", "text", "reason", "finished_at"])
    rollout.stages.filter(state=StepState.PENDING).update(state=StepState.SKIPPED)
    note(rollout, f"ended as {state}: {text}", actor=actor, after={"state": str(state), "reason": rollout.reason})


def note(rollout: Rollout, text: str, *, actor: User | None, after: Mapping[str, object] | None = None) -> None:
    """A line of the audit trail. actor None: the studio by itself."""
    target = f"endpoint {rollout.endpoint.name}"
    audit.record(actor, actions.ENDPOINTS_WRITE, target=target, summary=f"{who(rollout)} {text}", after=after)
