"""Guarded rollouts: started, paused, resumed, promoted and aborted by people. `rollout_turns` does the rest.

What a person does by hand to the split, or to one of the two deployments, always goes through: the rollout then ends
and leaves the split as they set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from endpoints.control.canary import Reason, is_same_split
from endpoints.models import OnlineDeployment, OnlineEndpoint, Rollout, RolloutStage
from endpoints.selectors import authorised_endpoint, get_rollout
from endpoints.services import rollout_moves as moves
from endpoints.services.rollout_clearing import clear_away
from endpoints.services.rollout_figures import close_figures, first_baseline
from endpoints.spec.errors import Conflict, FieldError, Invalid
from endpoints.spec.rollout_document import RolloutDocument
from endpoints.spec.states import ProvisioningState, RolloutState, StepState
from endpoints.telemetry.close import gate_metric
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

_FINISH_ACTIONS = {"delete": actions.DEPLOYMENTS_DELETE, "scale": actions.DEPLOYMENTS_WRITE}


def start_rollout(
    actor: User, *, document: RolloutDocument | Mapping[str, object], now: datetime | None = None
) -> Rollout:
    """Start a rollout: the split of its first stage is set at once. One at a time of an endpoint."""
    wanted = document if isinstance(document, RolloutDocument) else RolloutDocument.read(document)
    now = now or timezone.now()
    known = authorised_endpoint(actor, wanted.endpoint_name, actions.ENDPOINTS_WRITE)
    if needed := _FINISH_ACTIONS.get(wanted.finish.old):
        require(actor, needed, known.name)
    for index, gate in enumerate(wanted.gates):
        gate_metric(gate.metric, field_name=f"gates[{index}].metric")
    with transaction.atomic():
        endpoint = OnlineEndpoint.objects.select_for_update().get(pk=known.pk)
        if running := endpoint.rollouts.filter(finished_at=None).first():
            raise Conflict(
                f"Rollout {running.number} of {running.from_deployment!r} to {running.to_deployment!r} is under way; "
                "wait for its end, or abort it first."
            )
        _require_possible(endpoint, wanted)
        rollout = _record(actor, endpoint, wanted, now)
        moves.note(rollout, "started", actor=actor, after={"document": rollout.document})
        moves.enter_stage(rollout, endpoint, 0, now=now)
    return rollout


def _require_possible(endpoint: OnlineEndpoint, wanted: RolloutDocument) -> None:
    """Both deployments are there, the old one has traffic to give, and the new one can answer."""
    if endpoint.deletion_requested_at:
        raise Conflict(f"The endpoint {endpoint.name!r} is being deleted.")
    rows = {row.name: row for row in endpoint.deployments.filter(deletion_requested_at=None)}
    for field in ("from_deployment", "to_deployment"):
        if getattr(wanted, field) not in rows:
            there = ", ".join(sorted(rows)) or "none yet"
            raise _invalid(field, f"There is no deployment {getattr(wanted, field)!r} (deployments: {there}).")
    old, new = wanted.from_deployment, wanted.to_deployment
    shares = endpoint.traffic
    if not shares.get(old):
        raise Conflict(f"The deployment {old!r} receives no traffic, so there is none to shift to {new!r}.")
    if endpoint.mirror_traffic.get(new):
        raise Conflict(f"Traffic is mirrored to {new!r}; stop that first: a deployment is live or mirrored to.")
    _require_ready(rows[new])
    together = shares[old] + shares.get(new, 0)
    first, last = wanted.stages[0].percent, wanted.stages[-1].percent
    if last > together:
        raise _invalid("stages", f"{old!r} and {new!r} have {together} % together; no stage can take {last} %.")
    if first <= shares.get(new, 0):
        raise _invalid("stages", f"{new!r} has {shares[new]} % already; the first stage must take more than that.")
    if wanted.finish.old != "keep" and last < together:
        text = f"{old!r} would keep {together - last} % of the traffic; end with a stage that takes all of it."
        raise _invalid("finish.old", text)


def _require_ready(new: OnlineDeployment) -> None:
    state = new.provisioning_state
    if state != ProvisioningState.SUCCEEDED or not new.ready_instances:
        raise Conflict(
            f"The deployment {new.name!r} is {state} with {new.ready_instances} of {new.instance_count} instances "
            "ready; a rollout starts when it has succeeded and is ready."
        )


def _record(actor: User, endpoint: OnlineEndpoint, wanted: RolloutDocument, now: datetime) -> Rollout:
    last: int | None = endpoint.rollouts.aggregate(last=Max("number"))["last"]
    rollout = Rollout(
        endpoint=endpoint,
        number=(last or 0) + 1,
        from_deployment=wanted.from_deployment,
        to_deployment=wanted.to_deployment,
        document=wanted.to_json(),
        split_before=dict(endpoint.traffic),
        created_by=actor,
        created_at=now,
    )
    rollout.baseline = first_baseline(rollout, wanted, now=now)
    try:
        with transaction.atomic():
            rollout.save()
    except IntegrityError as error:
        raise Conflict("Another rollout of this endpoint has just been started.") from error
    stages = [(one.percent, one.seconds, one.requests, False) for one in wanted.stages]
    if wanted.finish.old != "keep" and wanted.finish.after_seconds:
        stages.append((wanted.stages[-1].percent, wanted.finish.after_seconds, 0, True))
    RolloutStage.objects.bulk_create(
        RolloutStage(rollout=rollout, number=number, percent=percent, seconds=seconds, requests=count, is_bake=is_bake)
        for number, (percent, seconds, count, is_bake) in enumerate(stages)
    )
    return rollout


# By hand -----------------------------------------------------------------------------------------------------


def pause_rollout(actor: User, *, endpoint: str, number: int | None = None, now: datetime | None = None) -> Rollout:
    """Hold the present stage; the gates stay on guard. Pausing twice is no error."""
    with transaction.atomic():
        rollout, _ = _held(actor, endpoint, number)
        if rollout.state == RolloutState.PAUSED:
            return rollout
        rollout.state = RolloutState.PAUSED
        rollout.save(update_fields=["state"])
        rollout.stages.filter(number=rollout.stage).update(paused_at=now or timezone.now())
        moves.note(rollout, "paused", actor=actor)
    return rollout


def resume_rollout(actor: User, *, endpoint: str, number: int | None = None, now: datetime | None = None) -> Rollout:
    """Go on where it was paused. Resuming what runs is no error."""
    with transaction.atomic():
        rollout, _ = _held(actor, endpoint, number)
        if rollout.state != RolloutState.PAUSED:
            return rollout
        rollout.state = RolloutState.RUNNING
        rollout.save(update_fields=["state"])
        stage = moves.stage_now(rollout)
        if stage.paused_at:
            stage.paused_s += ((now or timezone.now()) - stage.paused_at).total_seconds()
        stage.paused_at = None
        stage.save(update_fields=["paused_at", "paused_s"])
        moves.note(rollout, "resumed", actor=actor)
    return rollout


def promote_rollout(actor: User, *, endpoint: str, number: int | None = None, now: datetime | None = None) -> Rollout:
    """On to the next stage now, whatever this one still lacks; from the last stage to the end."""
    now = now or timezone.now()
    with transaction.atomic():
        rollout, row = _held(actor, endpoint, number)
        _require_own_split(rollout, row)
        close_figures(rollout, now=now)
        moves.leave_stage(rollout, StepState.SUCCEEDED, f"Promoted by {actor.get_username()}.", now=now)
        moves.note(rollout, f"promoted from stage {rollout.stage + 1}", actor=actor)
        if rollout.stage + 1 < rollout.stages.count():
            moves.enter_stage(rollout, row, rollout.stage + 1, now=now)
            return rollout
        moves.finish(rollout, RolloutState.SUCCEEDED, "Promoted by hand.", now=now, actor=actor)
    clear_away(rollout)
    return rollout


def abort_rollout(actor: User, *, endpoint: str, number: int | None = None, now: datetime | None = None) -> Rollout:
    """Back to the split that stood before, now."""
    now = now or timezone.now()
    with transaction.atomic():
        rollout, row = _held(actor, endpoint, number)
        close_figures(rollout, now=now)
        moves.go_back(rollout, row, Reason.ABORTED, f"Aborted by {actor.get_username()}.", now=now, actor=actor)
    return rollout


def _held(actor: User, endpoint: str, number: int | None) -> tuple[Rollout, OnlineEndpoint]:
    """The rollout under way and its endpoint, both rows held; the endpoint's first."""
    known = authorised_endpoint(actor, endpoint, actions.ENDPOINTS_WRITE)
    row = OnlineEndpoint.objects.select_for_update().get(pk=known.pk)
    running = Rollout.objects.select_for_update(of=("self",)).filter(endpoint=row, finished_at=None).first()
    if running is None or (number is not None and running.number != number):
        found = get_rollout(actor, endpoint, number)
        raise Conflict(f"Rollout {found.number} of {known.name!r} is over ({found.state}); there is nothing to change.")
    running.endpoint = row
    return running, row


def _require_own_split(rollout: Rollout, endpoint: OnlineEndpoint) -> None:
    expected = moves.split_of(rollout, moves.stage_now(rollout).percent)
    if not is_same_split(endpoint.traffic, expected):
        raise Conflict("The traffic has been changed by hand; the rollout is about to end.")


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", details=[FieldError(field, message)])
