"""Bodies as people read them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from studio.pages import bodies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(JSON)
def test_laying_out_changes_no_value(value: object) -> None:
    assert json.loads(bodies.laid_out(value)) == value


def test_rows_of_numbers_take_a_line_each() -> None:
    assert bodies.laid_out({"data": [[1, 2], [3, 4]]}).splitlines()[2:4] == ["    [1, 2],", "    [3, 4]"]


def test_what_is_not_json_is_told_with_its_place() -> None:
    problem = bodies.json_problem('{\n  "data": [1,]\n}')
    assert problem is not None
    assert (problem.line, problem.column) == (2, 14)


def test_an_answer_that_is_no_text_is_only_measured() -> None:
    shown = bodies.shown(b"\xff\xfe\x00", "application/octet-stream")
    assert (shown.is_binary, shown.size_bytes, shown.text) == (True, 3, "")


def test_an_image_is_drawn_but_no_svg() -> None:
    assert bodies.shown(b"\x89PNG", "image/png").image_url.startswith("data:image/png;base64,")
    assert bodies.shown(b"<svg/>", "image/svg+xml").image_url == ""


def test_a_long_answer_is_cut() -> None:
    shown = bodies.shown(b"x" * 200_000, "text/plain")
    assert shown.is_cut
    assert len(shown.text) < 200_000


def test_a_sample_is_found_in_both_kinds_of_swagger() -> None:
    example = {"data": [[1.5]]}
    assert json.loads(bodies.swagger_sample({"definitions": {"ServiceInput": {"example": example}}})) == example
    newer = {"components": {"schemas": {"ServiceInput": {"example": example}}}}
    assert json.loads(bodies.swagger_sample(newer)) == example


def test_an_empty_swagger_example_is_none() -> None:
    assert bodies.swagger_sample({"definitions": {"ServiceInput": {"example": {}}}}) == ""
    assert bodies.swagger_sample(["odd"]) == ""


def test_a_kept_sample_is_laid_out() -> None:
    assert bodies.kept_sample([{}, {"sample_request": '{"data":[1]}'}]) == '{\n  "data": [1]\n}'
