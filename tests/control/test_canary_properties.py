"""What holds for every plan and every story of measurements: driven to its end by the decision alone."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.control.canary import (
    Decision,
    Facts,
    Gate,
    Plan,
    Side,
    Sight,
    Stage,
    Standing,
    Step,
    Verdict,
    decide,
    split_at,
)

GATE = Gate("ErrorPercentage", max=5.0)
stages = st.lists(
    st.builds(Stage, percent=st.integers(1, 100), seconds=st.integers(0, 40), requests=st.integers(0, 200)),
    min_size=1,
    max_size=5,
    unique_by=lambda stage: stage.percent,
).map(lambda found: tuple(sorted(found, key=lambda stage: stage.percent)))
plans = st.builds(
    Plan,
    stages=stages,
    gates=st.sampled_from([(GATE,), (GATE, Gate("RequestLatency_P99", max_ratio=1.5))]),
    min_requests=st.integers(1, 50),
    timeout_s=st.integers(41, 120),
)
sides = st.builds(
    lambda requests, errors, p99: Side(requests, {"ErrorPercentage": errors, "RequestLatency_P99": p99}),
    st.integers(0, 300),
    st.none() | st.floats(0, 10),
    st.none() | st.floats(0, 100),
)
seconds = st.tuples(sides, sides, sides, st.booleans(), st.sampled_from(["", "", "", "", "lost", "foreign", "gone"]))
stories = st.lists(seconds, max_size=30)


@dataclass
class World:
    """An endpoint that does what was decided, second by second. It only ever obeys."""

    plan: Plan
    stage: int = 0
    stage_began: int = 0
    now: int = 0
    is_over: bool = False

    def __post_init__(self) -> None:
        self.before = {"blue": 100}
        self.split = split_at(self.before, "blue", "green", self.plan.stages[0].percent)

    def turn(self, facts: Facts) -> Decision:
        self.now += 1
        decision = decide(self.plan, Standing(self.stage, self.now - self.stage_began), facts)
        match decision.step:
            case Step.NEXT:
                self.stage, self.stage_began = self.stage + 1, self.now
                self.split = split_at(self.before, "blue", "green", self.plan.stages[self.stage].percent)
            case Step.BACK:
                self.split, self.is_over = dict(self.before), True
            case Step.END | Step.FINISH:
                self.is_over = True
        return decision


def facts_of(second: tuple[Side, Side, Side, bool, str]) -> Facts:
    recent, whole, old, is_fresh, event = second
    return Facts(
        Sight(recent, old),
        Sight(whole, old),
        is_fresh=is_fresh,
        trouble="it died" if event == "lost" else "",
        foreign="olga" if event == "foreign" else "",
        gone="blue" if event == "gone" else "",
    )


@settings(max_examples=150, deadline=None)
@given(plan=plans, story=stories)
def test_it_is_never_past_the_planned_percentage_and_the_split_stays_whole(plan, story):
    world = World(plan)
    for second in story:
        if world.is_over:
            break
        before = world.stage
        world.turn(facts_of(second))
        assert world.stage - before in (0, 1)
        assert world.split.get("green", 0) in (0, plan.stages[world.stage].percent)
        assert sum(world.split.values()) == 100


@settings(max_examples=150, deadline=None)
@given(plan=plans, story=stories)
def test_a_breach_always_goes_back_and_nothing_else_is_promoted(plan, story):
    world = World(plan)
    for second in story:
        if world.is_over:
            break
        facts = facts_of(second)
        decision = world.turn(facts)
        if facts.gone or facts.foreign:
            assert decision.step is Step.END
        elif facts.trouble or decision.broken:
            assert decision.step is Step.BACK and world.split == {"blue": 100}
        elif decision.step in (Step.NEXT, Step.FINISH):
            assert facts.is_fresh and facts.whole.new.requests >= plan.min_requests
            assert {one.verdict for one in decision.judgements} == {Verdict.HOLDS}
            assert all(one.value is not None for one in decision.judgements)


@settings(max_examples=60, deadline=None)
@given(plan=plans, story=stories, last=seconds)
def test_it_always_ends_within_the_time_of_its_stages(plan, story, last):
    world = World(plan)
    for second in [*story, *[last] * int(len(plan.stages) * plan.timeout_s)]:
        if world.is_over:
            break
        world.turn(facts_of(second))
    assert world.is_over
    assert world.now <= len(plan.stages) * plan.timeout_s


@settings(max_examples=60, deadline=None)
@given(plan=plans, silence=st.integers(1, 400))
def test_without_a_single_request_it_goes_back(plan, silence):
    world = World(plan)
    nothing = Side(0, {"ErrorPercentage": None, "RequestLatency_P99": None})
    while not world.is_over:
        decision = world.turn(Facts(Sight(nothing, nothing), Sight(nothing, nothing), is_fresh=silence % 2 == 0))
    assert decision.step is Step.BACK and world.split == {"blue": 100} and world.stage == 0
