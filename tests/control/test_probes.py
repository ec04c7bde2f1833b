"""Probe judgement, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from endpoints.control.probes import Answer, Health, Kind, due, judge
from endpoints.control.wanted import Paths, RunSettings
from endpoints.spec.deployment_document import Probe
from endpoints.spec.states import InstanceState

T0 = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
STARTING = Health(state=InstanceState.STARTING, created_at=T0)
READY = Health(state=InstanceState.READY, created_at=T0, ready_at=T0, successes=1, probed_at=T0, liveness_probed_at=T0)
WELL, SICK = Answer(is_ok=True), Answer(is_ok=False, detail="HTTP status 503")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def after(health: Health, settings: RunSettings, kind: Kind, *answers: Answer, every_s: float = 10) -> Health:
    for number, answer in enumerate(answers, start=1):
        health = judge(health, settings, {kind: answer}, at(number * every_s))
    return health


def test_a_success_within_the_initial_delay_counts_at_once():
    settings = RunSettings(readiness=Probe(initial_delay=100))
    health = judge(STARTING, settings, {Kind.READINESS: WELL}, at(0.3))
    assert (health.state, health.ready_at) == (InstanceState.READY, at(0.3))


def test_an_instance_that_starts_is_asked_at_every_look():
    assert due(replace(STARTING, probed_at=at(1)), RunSettings(), at(1.05)) == {Kind.READINESS}


def test_more_than_one_success_has_to_be_spaced_by_the_period():
    settings = RunSettings(readiness=Probe(success_threshold=2, period=10))
    once = judge(STARTING, settings, {Kind.READINESS: WELL}, at(1))
    assert once.state is InstanceState.STARTING
    assert due(once, settings, at(10.9)) == frozenset()
    assert due(once, settings, at(11)) == {Kind.READINESS}
    assert judge(once, settings, {Kind.READINESS: WELL}, at(11)).state is InstanceState.READY


def test_a_start_may_take_the_delay_and_all_failures_of_the_less_patient_probe():
    settings = RunSettings(
        readiness=Probe(initial_delay=60, period=10, failure_threshold=30),
        liveness=Probe(initial_delay=5, period=5, failure_threshold=4),
    )
    assert judge(STARTING, settings, {}, at(24.9)).state is InstanceState.STARTING
    assert judge(STARTING, settings, {}, at(25)).state is InstanceState.FAILED


def test_by_default_a_start_may_take_310_seconds_and_the_failure_says_so():
    late = judge(STARTING, RunSettings(), {Kind.READINESS: SICK}, at(310))
    assert late.failure is not None
    assert "310 s" in late.failure.message and "HTTP status 503" in late.failure.message


def test_readiness_turns_after_its_threshold_of_failures_in_a_row():
    settings = RunSettings(readiness=Probe(failure_threshold=3))
    health = after(READY, settings, Kind.READINESS, SICK, SICK, WELL, SICK, SICK)
    assert health.state is InstanceState.READY
    health = judge(health, settings, {Kind.READINESS: SICK}, at(60))
    assert (health.state, health.unready_since) == (InstanceState.UNREADY, at(60))


def test_an_unready_instance_comes_back_after_its_threshold_of_successes():
    settings = RunSettings(readiness=Probe(success_threshold=2))
    unready = replace(READY, state=InstanceState.UNREADY, unready_since=T0, successes=0)
    assert after(unready, settings, Kind.READINESS, WELL, SICK, WELL).state is InstanceState.UNREADY
    back = after(unready, settings, Kind.READINESS, WELL, WELL)
    assert (back.state, back.unready_since, back.ready_at) == (InstanceState.READY, None, T0)


def test_liveness_ends_an_instance_after_its_threshold_of_failures_in_a_row():
    settings = RunSettings(liveness=Probe(failure_threshold=2))
    assert after(READY, settings, Kind.LIVENESS, SICK, WELL, SICK).state is InstanceState.READY
    dead = after(READY, settings, Kind.LIVENESS, SICK, SICK)
    assert dead.state is InstanceState.FAILED
    assert dead.failure is not None and "2 times in a row: HTTP status 503" in dead.failure.message


def test_a_ready_instance_is_asked_once_a_period_by_each_probe():
    settings = RunSettings(readiness=Probe(period=5), liveness=Probe(period=20))
    assert due(READY, settings, at(4.9)) == frozenset()
    assert due(READY, settings, at(5)) == {Kind.READINESS}
    assert due(READY, settings, at(20)) == {Kind.READINESS, Kind.LIVENESS}


def test_an_instance_that_leaves_is_not_asked():
    assert due(replace(READY, state=InstanceState.DRAINING), RunSettings(), at(100)) == frozenset()


OWN_SERVER = RunSettings(
    own_server_port=8080, paths=Paths(liveness="/live", readiness="/ready", liveness_port=8081, readiness_port=8081)
)


def test_a_server_of_the_images_own_that_never_gets_ready_is_told_with_the_route_that_was_asked():
    health = judge(STARTING, OWN_SERVER, {Kind.READINESS: SICK}, at(1000))
    assert health.failure is not None
    assert "Its last probe failed: GET /ready on port 8081: HTTP status 503." in health.failure.message
    assert "inference_config" in health.failure.advice and "init()" not in health.failure.advice


def test_a_server_of_the_images_own_that_stops_living_is_told_with_the_route_that_was_asked():
    health = after(READY, OWN_SERVER, Kind.LIVENESS, *[SICK] * 30)
    assert health.failure is not None and "GET /live on port 8081: HTTP status 503" in health.failure.message


def test_our_own_servers_route_is_not_told_because_nobody_chose_it():
    health = judge(STARTING, RunSettings(), {Kind.READINESS: SICK}, at(1000))
    assert health.failure is not None and "Its last probe failed: HTTP status 503." in health.failure.message
    assert "init()" in health.failure.advice
