"""One turn of every rollout under way: measure, decide, and move the split where the decision says so.

The decision is `control.canary`'s. It is taken twice: without any lock, which is all that most turns need, and again
with the endpoint's row held before anything is changed, so that nothing a person did in between is overridden.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from django.db import DatabaseError, transaction

from endpoints.control.canary import Decision, Reason, Standing, Step, decide
from endpoints.models import OnlineEndpoint, Rollout, RolloutStage
from endpoints.services import rollout_moves as moves
from endpoints.services.rollout_clearing import clear_away
from endpoints.services.rollout_figures import close_figures, evidence_of, known_values, log_lines, look
from endpoints.spec.errors import SlipwayError
from endpoints.spec.states import RolloutState, StepState
from studio.access import actions
from studio.access.policy import is_allowed

logger = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()


def is_anything_under_way() -> bool:
    return Rollout.objects.filter(finished_at=None).exists()


def take_turns(*, now: datetime) -> None:
    """A turn for each rollout under way. One that fails does not keep the others from theirs.

    A round that is still under way in this process is not doubled.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        _take_turns(now)
    finally:
        _one_at_a_time.release()


def _take_turns(now: datetime) -> None:
    for rollout in Rollout.objects.filter(finished_at=None).select_related("endpoint", "created_by"):
        try:
            take_turn(rollout, now=now)
        except (SlipwayError, DatabaseError):
            logger.exception("The turn of %s failed; the next one is in a moment", rollout)


def take_turn(rollout: Rollout, *, now: datetime) -> Decision:
    """Look, decide and do; returns the decision."""
    stage = moves.stage_now(rollout)
    plan = moves.plan_of(rollout)
    found = look(rollout, stage, now=now)
    baseline = {**rollout.baseline, **known_values(found.recent.old, plan.min_requests)}
    decision = decide(plan, _standing(rollout, stage, now), found.facts)
    if decision.step is Step.WAIT:
        _remember(rollout, baseline, decision.text)
        return decision
    # Whoever sees the end sees its evidence: what takes a moment is read before the rows are held.
    log = log_lines(rollout, stage.started_at or now) if decision.step is Step.BACK else []
    with transaction.atomic():
        endpoint = OnlineEndpoint.objects.select_for_update().get(pk=rollout.endpoint_id)
        held = Rollout.objects.select_for_update(of=("self",)).get(pk=rollout.pk)
        if held.finished_at or held.stage != rollout.stage:
            return decision
        held.endpoint, held.baseline = endpoint, baseline
        stage = moves.stage_now(held)
        found = look(held, stage, now=now)
        decision = decide(plan, _standing(held, stage, now), found.facts)
        if decision.step is Step.BACK:
            held.evidence = {**evidence_of(decision, found), "log": log}
        _carry_out(held, endpoint, decision, now)
    if decision.step is Step.FINISH and held.state == RolloutState.SUCCEEDED:
        clear_away(held)
    return decision


def _standing(rollout: Rollout, stage: RolloutStage, now: datetime) -> Standing:
    """Pauses do not count."""
    until = stage.paused_at or now
    elapsed_s = (until - stage.started_at).total_seconds() - stage.paused_s if stage.started_at else 0.0
    return Standing(rollout.stage, max(elapsed_s, 0.0), rollout.state == RolloutState.PAUSED)


def _remember(rollout: Rollout, baseline: dict[str, float], text: str) -> None:
    """What it waits for, and the old deployment's values for when it has no requests any more."""
    if (baseline, text) != (rollout.baseline, rollout.text):
        Rollout.objects.filter(pk=rollout.pk, finished_at=None).update(baseline=baseline, text=text)
        rollout.baseline, rollout.text = baseline, text


def _carry_out(rollout: Rollout, endpoint: OnlineEndpoint, decision: Decision, now: datetime) -> None:
    """Write what was decided. The rows are held."""
    match decision.step:
        case Step.WAIT:
            return
        case Step.END:
            moves.leave_stage(rollout, StepState.SKIPPED, decision.text, now=now)
            moves.finish(rollout, RolloutState.ENDED, decision.text, now=now, reason=decision.reason)
        case Step.BACK:
            rollout.save(update_fields=["evidence"])
            moves.go_back(rollout, endpoint, decision.reason or Reason.NOT_POSSIBLE, decision.text, now=now)
            close_figures(rollout, now=now)
        case Step.NEXT | Step.FINISH:
            _go_on(rollout, endpoint, decision, now)


def _go_on(rollout: Rollout, endpoint: OnlineEndpoint, decision: Decision, now: datetime) -> None:
    """To the next stage or the end, as long as whoever started it may still change the traffic."""
    creator = rollout.created_by
    if creator is None or not is_allowed(creator, actions.ENDPOINTS_WRITE, endpoint.name):
        text = "Whoever started the rollout may no longer change this endpoint's traffic."
        moves.go_back(rollout, endpoint, Reason.NOT_POSSIBLE, text, now=now)
        return
    close_figures(rollout, now=now)
    moves.leave_stage(rollout, StepState.SUCCEEDED, decision.text, now=now)
    if decision.step is Step.NEXT:
        moves.enter_stage(rollout, endpoint, rollout.stage + 1, now=now)
    else:
        moves.finish(rollout, RolloutState.SUCCEEDED, "Every stage passed with every gate holding.", now=now)
