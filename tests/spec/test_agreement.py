"""When two answers agree, and where they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.spec.agreement import Kind, Verdict, judge, shown
from endpoints.spec.comparison import ComparisonSettings
from endpoints.spec.json_compare import MISSING, Rules
from endpoints.spec.pairs import LIVE_FAILED, SHADOW_FAILED, STREAMING, AnswerSeen, Pair

TIGHT = ComparisonSettings(absolute_tolerance=0, relative_tolerance=0)


def pair(live: bytes, other: bytes, **fields: object) -> Pair:
    values = {
        "endpoint": "risk", "live_deployment": "blue", "shadow_deployment": "green", "at_ms": 0, "request_id": "r",
        "live": AnswerSeen(status=200, body=live), "shadow": AnswerSeen(status=200, body=other),
    }  # fmt: skip
    return Pair(**{**values, **fields})  # type: ignore[arg-type]


def judged(live: object, shadow: object, rules: ComparisonSettings = TIGHT) -> Verdict:
    return judge(pair(json.dumps(live).encode(), json.dumps(shadow).encode()), Rules(rules))


def test_the_same_bytes_are_exact() -> None:
    assert judge(pair(b"\xff", b"\xff"), Rules(TIGHT)).kind == Kind.EXACT
    assert judge(pair(b"", b"", is_same=True), Rules(TIGHT)).kind == Kind.EXACT


@pytest.mark.parametrize(
    ("live", "shadow"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([1], [1.0]), (float("nan"), float("nan")), (10**400, 10**400)],
)
def test_the_same_json_is_exact(live: object, shadow: object) -> None:
    assert judged(live, shadow).kind == Kind.EXACT


def test_json_within_a_json_text_is_read() -> None:
    assert judged(json.dumps({"a": 1, "b": 2}), json.dumps({"b": 2, "a": 1})).kind == Kind.EXACT
    assert judged(json.dumps({"a": 1}), json.dumps({"a": 2})).differences[0].path == "$.a"


@pytest.mark.parametrize("name", ["absolute_tolerance", "relative_tolerance"])
def test_numbers_within_a_tolerance_are_close(name: str) -> None:
    changes: dict[str, Any] = {name: 0.01}
    wide = replace(TIGHT, **changes)
    assert judged([1.0, "x"], [1.005, "x"], wide).kind == Kind.CLOSE
    assert judged([1.0], [1.05], wide).kind == Kind.DIFFERENT


@pytest.mark.parametrize(
    ("live", "shadow"),
    [(float("nan"), 1), (float("inf"), 1), (float("inf"), float("-inf")), (True, 1), (None, 0), ("1", 1), (10**400, 1)],
)
def test_no_tolerance_makes_these_agree(live: object, shadow: object) -> None:
    assert judged(live, shadow, replace(TIGHT, absolute_tolerance=1e300, relative_tolerance=1e300)).kind == "Different"


def test_differing_fields_are_told_with_both_values_and_their_size() -> None:
    found = judged({"scores": [1.0, 2.0], "label": "a"}, {"scores": [1.0, 2.5], "extra": None})
    told = [(one.path, one.live, one.shadow, one.size) for one in found.differences]
    assert told == [
        ("$.scores[1]", 2.0, 2.5, 0.5),
        ("$.label", "a", MISSING, None),
        ("$.extra", MISSING, None, None),
    ]
    assert found.count == 3
    assert found.divergence == pytest.approx(2.2)
    assert found.fields == {"$.scores[*]": 0.5, "$.label": None, "$.extra": None}


def test_lists_of_another_length_differ_in_what_is_missing() -> None:
    assert [one.path for one in judged([1, 2, 3], [1]).differences] == ["$[1]", "$[2]"]


def test_what_is_ignored_does_not_count() -> None:
    rules = replace(TIGHT, ignored_paths=("$.at", "$..id"))
    assert judged({"at": 1, "x": [{"id": 1}]}, {"at": 2, "x": [{"id": [2]}]}, rules).kind == Kind.EXACT
    assert judged({"at": 1, "x": 1}, {"x": 1}, rules).kind == Kind.EXACT


def test_order_counts_unless_it_is_said_not_to() -> None:
    live, shadow = {"tags": [{"n": 1}, {"n": 2.0}]}, {"tags": [{"n": 2}, {"n": 1}]}
    assert judged(live, shadow).kind == Kind.DIFFERENT
    assert judged(live, shadow, replace(TIGHT, unordered_paths=("$.tags",))).kind == Kind.EXACT


def test_an_unordered_list_is_matched_as_well_as_can_be() -> None:
    # Taking the first that is near enough would leave the last two without a partner.
    rules = replace(TIGHT, unordered_paths=("$",), absolute_tolerance=1.0)
    assert judged([{"n": 1.0}, {"n": 0.0}], [{"n": 1.5}, {"n": 0.9}], rules).kind == Kind.CLOSE
    assert judged([3.0, 1.0, 2.0], [2.9, 1.1, 1.9], rules).kind == Kind.CLOSE


def test_statuses_are_compared() -> None:
    found = judge(pair(b"1", b"1", shadow=AnswerSeen(status=204, body=b"1")), Rules(TIGHT))
    assert (found.kind, found.fields) == (Kind.DIFFERENT, {"HTTP status": None})


def test_a_shadow_that_fails_is_an_error_of_its_own_kind() -> None:
    failed = pair(b"1", b"", reason=SHADOW_FAILED, shadow=AnswerSeen(failure="RequestTimeout"))
    raised = pair(b"1", b"oh", shadow=AnswerSeen(status=500, body=b"oh"))
    verdicts = [judge(one, Rules(TIGHT)) for one in (failed, raised)]
    assert [(one.kind, one.reason) for one in verdicts] == [
        (Kind.SHADOW_ERROR, "RequestTimeout"),
        (Kind.SHADOW_ERROR, "Status500"),
    ]


@pytest.mark.parametrize("reason", [STREAMING, LIVE_FAILED])
def test_what_cannot_be_compared_says_why(reason: str) -> None:
    found = judge(pair(b"", b"", reason=reason), Rules(TIGHT))
    assert (found.kind, found.reason) == (Kind.NOT_COMPARABLE, reason)


def test_compressed_answers_are_compared_as_bytes_only() -> None:
    packed = AnswerSeen(status=200, body=b"\x1f\x8b", content_encoding="gzip")
    assert judge(pair(b"{}", b"", shadow=packed), Rules(TIGHT)).reason == "Encoded"


@pytest.mark.parametrize(("live", "shadow"), [(b"plain", b"text"), (b"{}", b"{"), (b"0xff", b"\xff"), (b"", b"0")])
def test_what_is_no_json_is_compared_as_text(live: bytes, shadow: bytes) -> None:
    assert judge(pair(live, shadow), Rules(TIGHT)).differences[0].path == "$"


def test_hostile_bodies_end_in_a_verdict() -> None:
    deep = b"[" * 30_000 + b"]" * 30_000
    within = json.loads("[" * 400 + "1" + "]" * 400)
    assert judge(pair(deep, deep + b" "), Rules(TIGHT)).kind == Kind.DIFFERENT
    assert judged(within, [within]).kind == Kind.DIFFERENT
    assert judged(list(range(9_000)), list(range(9_000, 0, -1))).count == 9_000 - 1


def test_values_are_shown_short_and_as_any_database_keeps_them() -> None:
    assert shown(MISSING) is None
    assert shown("x" * 500) == "x" * 200 + "…"
    assert shown({"a": "\0\ud800"}) == '{"a": "\\u0000?"}'


# For all values ------------------------------------------------------------------------------------------------

NUMBERS = st.integers(-(10**20), 10**20) | st.floats(width=32)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
TOLERANCES = st.sampled_from([0.0, 1e-9, 1e-3, 0.5, 10.0])
SETTINGS = st.builds(
    ComparisonSettings,
    absolute_tolerance=TOLERANCES,
    relative_tolerance=TOLERANCES,
    ignored_paths=st.sampled_from([(), ("$..a",), ("$.b", "$[0]")]),
    unordered_paths=st.sampled_from([(), ("$..*", "$")]),
)


@settings(deadline=None)
@given(VALUES, SETTINGS)
def test_everything_agrees_with_itself(value: object, rules: ComparisonSettings) -> None:
    assert judged(value, value, rules).kind == Kind.EXACT


@settings(deadline=None)
@given(VALUES, VALUES, SETTINGS)
def test_which_one_is_the_shadow_does_not_matter(one: object, other: object, rules: ComparisonSettings) -> None:
    there, back = judged(one, other, rules), judged(other, one, rules)
    assert (there.kind, there.count) == (back.kind, back.count)
    assert there.divergence == pytest.approx(back.divergence)


@settings(deadline=None)
@given(VALUES, VALUES, SETTINGS, TOLERANCES, TOLERANCES)
def test_a_wider_tolerance_never_makes_them_disagree(
    one: object, other: object, rules: ComparisonSettings, absolute: float, relative: float
) -> None:
    wider = replace(
        rules,
        absolute_tolerance=rules.absolute_tolerance + absolute,
        relative_tolerance=rules.relative_tolerance + relative,
    )
    if judged(one, other, rules).kind != Kind.DIFFERENT:
        assert judged(one, other, wider).kind != Kind.DIFFERENT


@settings(deadline=None)
@given(st.lists(VALUES, max_size=6), st.randoms())
def test_an_unordered_list_agrees_with_itself_shuffled(items: list[object], chance: object) -> None:
    mixed = list(items)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert judged(items, mixed, replace(TIGHT, unordered_paths=("$",))).kind != Kind.DIFFERENT


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_two_bodies_get_a_verdict(live: bytes, shadow: bytes) -> None:
    assert judge(pair(live, shadow), Rules(TIGHT)).kind in Kind
    msgspec.msgpack.encode(pair(live, shadow))
