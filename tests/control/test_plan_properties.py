"""What holds for every fleet, every failure and every change. The world checks each decision as it is taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.control.plan import Desired, Outcome
from endpoints.spec.states import InstanceState
from tests.control.simulation import CRASH, SCRIPT_FAILURE, World

counts = st.integers(1, 12)
events = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "look",
                "look",
                "ready",
                "ready",
                "time",
                "crash",
                "script",
                "unready",
                "recount",
                "revise",
                "both",
                "gone",
                "cancel",
                "roll back",
            ]
        ),
        st.integers(0, 11),
    ),
    max_size=60,
)


def surge_of(count: int, has_surge: bool) -> int:
    return -(-count // 5) if has_surge else 0


def happen(world: World, event: str, number: int, has_surge: bool) -> None:
    """One thing that may befall a deployment."""
    present = world.present(InstanceState.STARTING, InstanceState.READY, InstanceState.UNREADY)
    victim = present[number % len(present)] if present else None
    count = number + 1
    match event:
        case "look":
            world.look()
        case "ready":
            world.finish_starting()
        case "time":
            world.now += timedelta(seconds=2.0**number)
        case "crash" | "script" if victim:
            world.crash(victim.id, CRASH if event == "crash" else SCRIPT_FAILURE)
        case "gone" if victim:
            del world.members[victim.id]
        case "unready" if victim and victim.state is InstanceState.READY:
            world.put(victim.id, state=InstanceState.UNREADY, unready_since=world.now)
        case "recount":
            world.change(count=count, surge=surge_of(count, has_surge))
        case "cancel":
            world.desired = replace(world.desired, is_canceled=True)
        case "roll back":
            world.change(revision=world.desired.proven_revision or world.desired.revision)
        case "revise":
            world.change(revision=next(world.revisions))
        case "both":
            world.change(count=count, surge=surge_of(count, has_surge), revision=next(world.revisions))


def recover(world: World) -> None:
    """What was unready turns ready again; nothing else fails from here on."""
    for member in world.present(InstanceState.UNREADY):
        world.put(member.id, state=InstanceState.READY, unready_since=None)


@settings(max_examples=300, deadline=None)
@given(count=counts, has_surge=st.booleans(), story=events)
def test_every_story_ends_with_what_was_wanted_and_breaks_no_promise_on_the_way(count, has_surge, story):
    world = World(Desired(revision=1, count=count, generation=1, surge=surge_of(count, has_surge)))
    for event, number in story:
        happen(world, event, number, has_surge)
    recover(world)
    world.run(turns=2500)
    halted_at_nothing = world.desired.is_halted and not world.desired.proven_revision
    expected = world.desired.proven_revision
    assert len(world.ready()) == (0 if halted_at_nothing else world.desired.count)
    assert {m.revision for m in world.present()} <= {expected}
    assert len(world.present()) == len(world.ready())


@settings(max_examples=150, deadline=None)
@given(count=counts, has_surge=st.booleans(), story=events)
def test_a_deletion_leaves_nothing_whatever_went_before(count, has_surge, story):
    world = World(Desired(revision=1, count=count, generation=1, surge=surge_of(count, has_surge)))
    for event, number in story:
        happen(world, event, number, has_surge)
    world.change(is_deleted=True)
    assert world.run(turns=300).outcome is Outcome.GONE
    assert world.present() == []


@settings(max_examples=150, deadline=None)
@given(count=counts, has_surge=st.booleans())
def test_a_broken_revision_never_costs_a_working_instance(count, has_surge):
    world = World(Desired(revision=1, count=count, generation=1, surge=surge_of(count, has_surge))).run()
    world.broken = frozenset({2})
    world.change(revision=2)
    world.run()
    assert [m.revision for m in world.ready()] == [1] * count


@settings(max_examples=150, deadline=None)
@given(before=counts, after=counts, has_surge=st.booleans())
def test_settled_means_that_another_look_changes_nothing(before, after, has_surge):
    world = World(Desired(revision=1, count=before, generation=1, surge=surge_of(before, has_surge))).run()
    world.change(count=after, revision=2, surge=surge_of(after, has_surge))
    decision = world.run().look()
    assert (decision.outcome, decision.start, decision.drain, decision.stop) == (Outcome.DONE, 0, (), ())
