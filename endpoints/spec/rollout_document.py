"""`rollout.yml`: from one deployment to another in stages, guarded by gates. Ours; Azure has no such document.

Which metrics there are is telemetry's to know: a gate's `metric` is checked where the rollout is started.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from endpoints.spec.names import endpoint_name_problem
from endpoints.spec.schema import Document, Integer, Number, Problem, Shape, Text, rule

MOST_SECONDS = 7 * 86400
MOST_STAGES = 20
MOST_GATES = 20
# Kept by the second for long enough to look back over, with room to spare.
LONGEST_WINDOW_S = 600
ANY_NUMBER = Number(-1e12, 1e12, "Not a valid number.")
POSITIVE = Number(1e-6, 1e12, "Must be a number above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBlock(Shape):
    """`percent` of the endpoint's requests for `seconds`, or until the new deployment answered `requests`; or both."""

    percent: Annotated[int, Integer(minimum=1, maximum=100)]
    seconds: Annotated[int, Integer(minimum=0, maximum=MOST_SECONDS)] = 0
    requests: Annotated[int, Integer(minimum=0, maximum=10**9)] = 0

    @rule("seconds", "requests")
    def lasts(self) -> Iterator[Problem]:
        if not self.seconds and not self.requests:
            yield "seconds", "Say how long the stage lasts: 'seconds', 'requests', or both."


@dataclass(frozen=True, slots=True, kw_only=True)
class GateBlock(Shape):
    """What one metric of the new deployment must keep to; several bounds hold together.

    max_ratio: of the old one's value in the same window. max_increase: above the old one's value, in the metric's unit.
    """

    aliases: ClassVar = {"threshold": "max"}

    metric: str
    max: Annotated[float | None, ANY_NUMBER] = None
    min: Annotated[float | None, ANY_NUMBER] = None
    max_ratio: Annotated[float | None, POSITIVE] = None
    max_increase: Annotated[float | None, ANY_NUMBER] = None

    @rule("max", "min", "max_ratio", "max_increase")
    def has_a_bound(self) -> Iterator[Problem]:
        if all(bound is None for bound in (self.max, self.min, self.max_ratio, self.max_increase)):
            yield "max", "Give the gate a bound: 'max', 'min', 'max_ratio' or 'max_increase'."


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishBlock(Shape):
    """What becomes of the old deployment after `after_seconds` of all traffic on the new one, gates still on guard."""

    old: Literal["keep", "scale", "delete"] = "keep"
    instance_count: Annotated[int, Integer(minimum=1, maximum=1000)] = 1
    after_seconds: Annotated[int, Integer(minimum=0, maximum=MOST_SECONDS)] = 600


DeploymentName = Annotated[str, Text(is_lowered=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDocument(Document):
    """A guarded rollout of one deployment over another."""

    title: ClassVar = "rollout document"
    aliases: ClassVar = {"from": "from_deployment", "to": "to_deployment"}
    ignored: ClassVar = frozenset({"$schema"})

    type: Literal["rollout"] = "rollout"
    endpoint_name: Annotated[str, Text(endpoint_name_problem, is_lowered=True)]
    from_deployment: DeploymentName
    to_deployment: DeploymentName
    stages: tuple[StageBlock, ...]
    gates: tuple[GateBlock, ...]
    window_seconds: Annotated[int, Integer(minimum=5, maximum=LONGEST_WINDOW_S)] = 60
    min_requests: Annotated[int, Integer(minimum=1, maximum=10**9)] = 20
    timeout_seconds: Annotated[int, Integer(minimum=10, maximum=MOST_SECONDS)] = 3600
    finish: FinishBlock = field(default_factory=FinishBlock)

    @rule("from_deployment", "to_deployment")
    def goes_somewhere(self) -> Iterator[Problem]:
        if self.from_deployment == self.to_deployment:
            yield "to_deployment", "A rollout goes from one deployment to another one."

    @rule("stages")
    def stages_rise(self) -> Iterator[Problem]:
        if not 1 <= len(self.stages) <= MOST_STAGES:
            yield "stages", f"A rollout has 1 to {MOST_STAGES} stages, not {len(self.stages)}."
        for index, (before, after) in enumerate(zip(self.stages, self.stages[1:], strict=False), start=2):
            if after.percent <= before.percent:
                text = f"Stage {index} takes {after.percent} %, no more than the {before.percent} % before it."
                yield "stages", text

    @rule("gates")
    def is_guarded(self) -> Iterator[Problem]:
        if not 1 <= len(self.gates) <= MOST_GATES:
            yield "gates", f"A rollout has 1 to {MOST_GATES} gates, not {len(self.gates)}."

    @rule("stages", "timeout_seconds", "finish")
    def leaves_time(self) -> Iterator[Problem]:
        longest = max((stage.seconds for stage in self.stages), default=0)
        bake = self.finish.after_seconds if self.finish.old != "keep" else 0
        if self.timeout_seconds <= max(longest, bake):
            yield "timeout_seconds", f"A stage lasts {max(longest, bake)} s; give it more time than that to pass."
