"""A guarded rollout's next step from its plan, where it stands and what was measured. Pure: no clock, no database.

It never asks for more than the stage's percentage, goes back on the first broken gate, goes on only where every gate
could be judged and holds (no data is not good), and ends: a stage that cannot be judged in time goes back. Every rule
here is a property in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Split = Mapping[str, int]


class Step(StrEnum):
    """What to do now."""

    WAIT = "Wait"
    NEXT = "Next"  # on to the following stage
    FINISH = "Finish"  # the last stage has passed
    BACK = "Back"  # to the split that stood before
    END = "End"  # as it stands: somebody else decides about the split now


class Reason(StrEnum):
    """Why a rollout ended otherwise than by passing its last stage."""

    GATE_BROKEN = "GateBroken"
    DEPLOYMENT_FAILED = "DeploymentFailed"
    TIMED_OUT = "TimedOut"
    ABORTED = "Aborted"
    TRAFFIC_CHANGED = "TrafficChanged"
    DEPLOYMENT_GONE = "DeploymentGone"
    NOT_POSSIBLE = "NotPossible"


@dataclass(frozen=True, slots=True)
class Stage:
    """percent: of the endpoint's requests. It lasts `seconds` and until the new one answered `requests`."""

    percent: int
    seconds: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """Bounds of one metric of the new deployment; those that are None do not bind."""

    metric: str
    max: float | None = None
    min: float | None = None
    max_ratio: float | None = None
    max_increase: float | None = None

    @property
    def is_relative(self) -> bool:
        return self.max_ratio is not None or self.max_increase is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. stages: the bake after the last one is a stage of its own. timeout_s: of each stage."""

    stages: Sequence[Stage]
    gates: Sequence[Gate]
    min_requests: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where it stands. stage: index. elapsed_s: since the stage began, pauses left out."""

    stage: int
    elapsed_s: float
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One deployment in one window. values: by metric, None where there is nothing to tell."""

    requests: int = 0
    values: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """Both deployments in the same window."""

    new: Side
    old: Side


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out now.

    recent: the plan's window up to now. whole: since the stage began, for where the window holds too few requests.
    baseline: the old deployment's last values, for where it has no requests any more. is_fresh: counters came in
    lately. trouble: why the new deployment does not serve. gone: which deployment is not there any more. foreign: who
    or what took over the split. "" for none of it.
    """

    recent: Sight
    whole: Sight
    baseline: Mapping[str, float] = field(default_factory=dict)
    is_fresh: bool = True
    trouble: str = ""
    gone: str = ""
    foreign: str = ""


class Verdict(StrEnum):
    HOLDS = "Holds"
    BROKEN = "Broken"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One gate's verdict. bound: which of its bounds decided; limit: what the value may be there at most (or least)."""

    gate: Gate
    verdict: Verdict
    value: float | None = None
    old_value: float | None = None
    bound: str = ""
    limit: float | None = None
    is_recent: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why in words a person reads, and what every gate said."""

    step: Step
    text: str
    reason: Reason | None = None
    judgements: tuple[Judgement, ...] = ()

    @property
    def broken(self) -> Judgement | None:
        return next((one for one in self.judgements if one.verdict is Verdict.BROKEN), None)


def decide(plan: Plan, standing: Standing, facts: Facts) -> Decision:
    """The next step. What people did by hand comes first, then what speaks against the new deployment, then time."""
    if facts.gone:
        return Decision(Step.END, facts.gone, Reason.DEPLOYMENT_GONE)
    if facts.foreign:
        return Decision(Step.END, facts.foreign, Reason.TRAFFIC_CHANGED)
    judgements = tuple(judge(gate, plan.min_requests, facts) for gate in plan.gates)
    if facts.trouble:
        return Decision(Step.BACK, facts.trouble, Reason.DEPLOYMENT_FAILED, judgements)
    for one in judgements:
        if one.verdict is Verdict.BROKEN:
            return Decision(Step.BACK, broken_text(one), Reason.GATE_BROKEN, judgements)
    if standing.is_paused:
        return Decision(Step.WAIT, "Paused; the gates stay on guard.", judgements=judgements)
    waits_for = _missing(plan, standing, facts, judgements)
    if not waits_for:
        is_last = standing.stage + 1 >= len(plan.stages)
        return Decision(Step.FINISH if is_last else Step.NEXT, "Every gate holds.", judgements=judgements)
    if standing.elapsed_s >= plan.timeout_s:
        text = f"The stage could not be passed in {plan.timeout_s:g} s: {waits_for}."
        return Decision(Step.BACK, text, Reason.TIMED_OUT, judgements)
    return Decision(Step.WAIT, f"Waiting: {waits_for}.", judgements=judgements)


def _missing(plan: Plan, standing: Standing, facts: Facts, judgements: Iterable[Judgement]) -> str:
    """What the stage still lacks, "" where it has passed."""
    stage = plan.stages[standing.stage]
    counted = facts.whole.new.requests
    needed = max(stage.requests, plan.min_requests)
    if standing.elapsed_s < stage.seconds:
        return f"{standing.elapsed_s:.0f} of {stage.seconds} s"
    if counted < needed:
        return f"the new deployment answered {counted} of {needed} requests"
    if not facts.is_fresh:
        return "no counters have come from the gateways lately"
    unknown = [one.gate.metric for one in judgements if one.verdict is Verdict.UNKNOWN]
    return f"nothing was measured yet to judge {', '.join(unknown)} by" if unknown else ""


# Gates -------------------------------------------------------------------------------------------------------


def judge(gate: Gate, min_requests: int, facts: Facts) -> Judgement:
    """What the gate says of the window, or of the whole stage where the window holds too few requests."""
    is_recent = facts.recent.new.requests >= min_requests
    sight = facts.recent if is_recent else facts.whole
    value = sight.new.values.get(gate.metric)
    old_value = sight.old.values.get(gate.metric) if sight.old.requests >= min_requests else None
    if old_value is None:
        old_value = facts.baseline.get(gate.metric)
    if value is None or sight.new.requests < min_requests:
        return Judgement(gate, Verdict.UNKNOWN, value, old_value, is_recent=is_recent)
    for bound, limit in _bounds(gate, old_value):
        if value < limit if bound == "min" else value > limit:
            return Judgement(gate, Verdict.BROKEN, value, old_value, bound, limit, is_recent)
    is_unknown = gate.is_relative and old_value is None
    verdict = Verdict.UNKNOWN if is_unknown else Verdict.HOLDS
    first: tuple[str, float | None] = next(iter(_bounds(gate, old_value)), ("", None))
    return Judgement(gate, verdict, value, old_value, *first, is_recent)


def _bounds(gate: Gate, old_value: float | None) -> Iterator[tuple[str, float]]:
    if gate.max is not None:
        yield "max", gate.max
    if gate.min is not None:
        yield "min", gate.min
    if old_value is not None:
        if gate.max_ratio is not None:
            yield "max_ratio", gate.max_ratio * old_value
        if gate.max_increase is not None:
            yield "max_increase", gate.max_increase + old_value


def broken_text(one: Judgement) -> str:
    """The broken gate in a sentence."""
    assert one.value is not None and one.limit is not None  # noqa: S101  a broken gate has both
    text = f"{one.gate.metric} was {one.value:.4g}, "
    if one.bound == "min":
        return f"{text}below the least of {one.limit:.4g}."
    if one.bound == "max":
        return f"{text}above the limit of {one.limit:.4g}."
    what = f"{one.gate.max_ratio:g} times" if one.bound == "max_ratio" else f"{one.gate.max_increase:g} more than"
    return f"{text}above {one.limit:.4g}, which is {what} the old deployment's {one.old_value:.4g}."


# Splits ------------------------------------------------------------------------------------------------------


def split_at(before: Split, old: str, new: str, percent: int) -> dict[str, int]:
    """The split with `percent` on the new deployment, taken from the old one; nobody else's share changes.

    Raises ValueError where the two have not so much together.
    """
    together = before.get(old, 0) + before.get(new, 0)
    if not 0 <= percent <= together:
        raise ValueError(f"{old} and {new} have {together} % together, not {percent} %")
    return {**before, old: together - percent, new: percent}


def is_same_split(one: Split, other: Split) -> bool:
    """Whether both send every request to the same place: 0 % and no entry say the same."""
    return {name: share for name, share in one.items() if share} == {
        name: share for name, share in other.items() if share
    }
