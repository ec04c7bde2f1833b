"""Pairs of answers, judged and counted once, and only the worst of them kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.exceptions import ConnectionError as NotThere

from endpoints.models import Comparison, ComparisonExample, ComparisonRollup, DifferingField, OnlineEndpoint
from endpoints.spec.agreement import Kind
from endpoints.spec.histogram import Histogram
from endpoints.spec.pairs import SHADOW_FAILED, STREAM, STREAMING, AnswerSeen, Pair, PairBatch
from endpoints.telemetry import pairs
from endpoints.telemetry.comparisons import (
    differing_fields,
    forget_all,
    forget_old,
    signed_quantiles_ms,
    summary,
    worst_examples,
)
from endpoints.telemetry.rollups import roll_up

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def comparison() -> Comparison:
    """Of green with what callers of risk are answered, begun a minute ago."""
    endpoint = OnlineEndpoint.objects.create(name="risk", comparison={"examples": 3})
    started_at = NOW - timedelta(minutes=1)
    return Comparison.objects.create(endpoint=endpoint, shadow="green", revision=1, started_at=started_at)


def pair(
    live: object = 1, shadow: object = 1, *, at: datetime = NOW, ms: tuple[int, int] = (10, 20), **more: Any
) -> Pair:
    """Two answers that came to a request; a value stands for the JSON of a 200."""
    sides = [
        each
        if isinstance(each, AnswerSeen)
        else AnswerSeen(status=200, microseconds=took * 1000, body=json.dumps(each).encode())
        for took, each in zip(ms, (live, shadow), strict=True)
    ]
    values: dict[str, Any] = {"endpoint": "risk", "live_deployment": "blue", "shadow_deployment": "green"}
    values |= {"request_id": "r", "at_ms": int(at.timestamp() * 1000), "live": sides[0], "shadow": sides[1]}
    return Pair(**{**values, **more})


def encoded(*found: Pair, number: int = 1, **more: Any) -> bytes:
    return msgspec.msgpack.encode(PairBatch(id=f"pairs-gw-{number}", pairs=found, **more))


def take(*found: Pair, number: int = 1) -> int:
    return pairs.take([encoded(*found, number=number)], now=NOW)


def kinds(comparison: Comparison) -> dict[str, int]:
    found = summary(comparison, now=NOW + timedelta(minutes=5))
    return {str(kind): count for kind, count in found.kinds.items() if count}


def test_verdicts_are_counted_by_kind_and_reason(comparison: Comparison) -> None:
    failed = pair(reason=SHADOW_FAILED, shadow=AnswerSeen(failure="RequestTimeout"))
    take(pair(), pair(), pair(1.0, 1.0 + 1e-12), pair(1, 2), failed, pair(reason=STREAMING))
    found = summary(comparison, now=NOW)
    assert kinds(comparison) == {"Exact": 2, "Close": 1, "Different": 1, "ShadowError": 1, "NotComparable": 1}
    assert (found.pairs, found.compared, found.agreeing, found.agreement_percent) == (6, 5, 3, 60.0)
    reasons = {(one.kind, one.reason): one.pairs for one in found.reasons if one.reason}
    assert reasons == {(Kind.SHADOW_ERROR, "RequestTimeout"): 1, (Kind.NOT_COMPARABLE, "Streaming"): 1}


def test_nothing_compared_has_no_rate(comparison: Comparison) -> None:
    assert summary(comparison, now=NOW).agreement_percent is None
    assert summary(comparison, now=NOW).latencies.difference == (None, None, None)


def test_latencies_of_both_and_of_their_difference_are_kept(comparison: Comparison) -> None:
    take(*(pair(ms=(10, 30)) for _ in range(9)), pair(ms=(10, 5)))
    latencies = summary(comparison, now=NOW).latencies
    assert latencies.live[0] == pytest.approx(10, rel=0.02)
    assert latencies.shadow[1] == pytest.approx(30, rel=0.02)
    assert latencies.difference == pytest.approx((20, 20, 20), rel=0.02)


def test_a_shadow_that_is_faster_has_a_negative_difference() -> None:
    slower, faster = Histogram(), Histogram()
    for milliseconds in (1, 2, 3):
        slower.add(milliseconds / 1000)
        faster.add(milliseconds / 1000)
    found = signed_quantiles_ms(slower, faster, (0.1, 0.5, 0.99))
    assert found == pytest.approx((-3, -1, 3), rel=0.02)


def test_a_batch_that_comes_twice_counts_once(comparison: Comparison) -> None:
    assert [take(pair()), take(pair())] == [1, 0]
    assert kinds(comparison) == {"Exact": 1}


def test_sums_outlast_the_rolling_up(comparison: Comparison) -> None:
    take(pair(), pair(1, 2))
    roll_up(now=NOW + timedelta(hours=3))
    ComparisonRollup.objects.filter(grain_s__lt=3600).delete()
    found = summary(comparison, now=NOW + timedelta(hours=4))
    assert (found.pairs, found.agreement_percent) == (2, 50.0)


@pytest.mark.parametrize(
    "change",
    [{"endpoint": "other"}, {"shadow_deployment": "red"}, {"at": NOW - timedelta(minutes=2)}],
    ids=["another endpoint", "another shadow", "from before it began"],
)
def test_what_does_not_belong_to_it_is_dropped(comparison: Comparison, change: dict[str, Any]) -> None:
    assert take(pair(**change)) == 0
    assert kinds(comparison) == {}


def test_without_settings_nothing_is_compared(comparison: Comparison) -> None:
    OnlineEndpoint.objects.update(comparison=None)
    assert take(pair()) == 0


def test_fields_are_told_by_how_often_and_how_far_they_differ(comparison: Comparison) -> None:
    take(
        pair({"s": [1.0, 5.0], "l": "a"}, {"s": [1.5, 5.0], "l": "a"}),
        pair({"s": [1, 9]}, {"s": [1, 5]}),
        pair("a", "b"),
    )
    scores, whole = differing_fields(comparison, most=10)
    assert (scores.path, scores.pairs, whole.path, whole.typical) == ("$.s[*]", 2, "$", None)
    assert scores.typical == pytest.approx(0.5, rel=0.02)
    assert scores.largest == pytest.approx(4, rel=0.02)


def test_fields_beyond_the_bound_are_counted_together(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MAX_FIELDS", 2)
    take(pair({"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 2, "c": 2, "d": 4}))
    take(pair({"a": 1, "e": 1}, {"a": 2, "e": 2}), number=2)
    found = {one.path: one.pairs for one in differing_fields(comparison, most=10)}
    assert found == {"$.a": 2, "$.b": 1, "": 2}


def test_the_worst_pairs_are_kept_whole_and_no_others(comparison: Comparison) -> None:
    for number in range(1, 8):
        take(pair([1] * number, [2] * number, request=b"?", request_id=str(number)), number=number)
    kept = worst_examples(comparison)
    assert [one.request_id for one in kept] == ["7", "6", "5"]
    worst = ComparisonExample.objects.get(pk=kept[0].pk)
    assert bytes(worst.live_body) == b"[1, 1, 1, 1, 1, 1, 1]"
    assert (bytes(worst.request_body or b""), worst.difference_count) == (b"?", 7)
    assert worst.differences[0] == ["$[0]", "1", "2", 1.0]


def test_errors_of_the_shadow_are_kept_beside_differences(comparison: Comparison) -> None:
    raised = AnswerSeen(status=500, microseconds=1000, body=b"Traceback")
    take(pair(1, 2), *(pair(shadow=raised, at=NOW + timedelta(seconds=each)) for each in range(5)))
    assert [(one.kind, one.reason) for one in worst_examples(comparison, kind="ShadowError")] == [
        ("ShadowError", "Status500")
    ] * 3
    assert len(worst_examples(comparison)) == 4


def test_no_answer_is_kept_where_no_example_is_wanted(comparison: Comparison) -> None:
    OnlineEndpoint.objects.update(comparison={"examples": 0})
    take(pair(1, 2))
    assert kinds(comparison) == {"Different": 1}
    assert not ComparisonExample.objects.exists()


def test_hostile_answers_are_stored(comparison: Comparison) -> None:
    odd = {"\0\ud800" + "k" * 400: "\0"}
    assert take(pair(odd, {**odd, "x": "\0"}), pair(live=AnswerSeen(status=200, body=b"\0\xff"))) == 2
    assert {one.path for one in differing_fields(comparison, most=10)} == {"$.x", "$"}


def test_pairs_there_was_no_room_for_are_told(comparison: Comparison) -> None:
    pairs.take([encoded(pair(), dropped={"risk": 7, "other": 1})], now=NOW)
    found = summary(comparison, now=NOW)
    assert (found.kinds[Kind.LEFT_OUT], found.pairs) == (7, 1)


def test_kept_answers_are_forgotten_after_a_month(comparison: Comparison) -> None:
    take(pair(1, 2), pair(1, 3, at=NOW - timedelta(seconds=30)))
    assert forget_old(now=NOW + timedelta(days=30) - timedelta(seconds=10)) == 1
    assert kinds(comparison) == {"Different": 2}


def test_forgetting_leaves_nothing(comparison: Comparison) -> None:
    take(pair(1, 2))
    forget_all("risk")
    assert not ComparisonRollup.objects.exists()
    assert not DifferingField.objects.exists()
    assert not ComparisonExample.objects.exists()


class Stream:
    """Redis, as far as pairs ask for it."""

    def __init__(self, *entries: bytes, on_delete: Callable[[], None] = lambda: None) -> None:
        self.entries = {f"{number}-0".encode(): {b"pairs": entry} for number, entry in enumerate(entries, 1)}
        self._on_delete = on_delete

    def xrange(self, name: str, *, count: int) -> list[Any]:
        assert name == STREAM
        return list(self.entries.items())[:count]

    def xdel(self, _name: str, *ids: bytes) -> None:
        self._on_delete()
        for each in ids:
            del self.entries[each]


def test_the_stream_is_emptied_and_what_cannot_be_read_is_named(
    comparison: Comparison, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream(b"\xc1", *(encoded(pair(), number=number) for number in range(20)))
    assert pairs.take_all(stream, now=NOW) == 20  # type: ignore[arg-type]
    assert (stream.entries, kinds(comparison)) == ({}, {"Exact": 20})
    assert "cannot be read" in caplog.text


def test_a_redis_that_goes_away_doubles_nothing(comparison: Comparison) -> None:
    def gone() -> None:
        raise NotThere

    entry = encoded(pair())
    pairs.take_all(Stream(entry, on_delete=gone), now=NOW)  # type: ignore[arg-type]
    pairs.take_all(Stream(entry), now=NOW)  # type: ignore[arg-type]
    assert kinds(comparison) == {"Exact": 1}
