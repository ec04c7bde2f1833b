"""Small changes to documents by path."""

from __future__ import annotations

import pytest

from endpoints.spec.errors import Invalid
from endpoints.spec.setpath import add_values, parse_path, remove_values, set_values
from endpoints.spec.yaml_reader import SourceDocument, read_yaml


def source(**values: object) -> SourceDocument:
    return SourceDocument(values)


def test_a_path_has_keys_and_indexes():
    assert parse_path("a.b[0].c") == ("a", "b", 0, "c")
    assert parse_path("a[0][-1]") == ("a", 0, -1)


@pytest.mark.parametrize("text", ["", ".a", "[0]", "a[x]", "a..b", "a]"])
def test_what_is_no_path_is_refused(text: str):
    with pytest.raises(Invalid):
        parse_path(text)


def test_values_are_json_where_they_can_be():
    changed = set_values(source(), ["a=1", "b=true", "c=x=y", 'd={"e": [1]}', "f=01", "g="])
    assert changed.values == {"a": 1, "b": True, "c": "x=y", "d": {"e": [1]}, "f": "01", "g": ""}


def test_values_stay_text_when_asked():
    assert set_values(source(), ["a=1"], is_text=True).values == {"a": "1"}


def test_mappings_on_the_way_are_made():
    changed = set_values(source(), ["request_settings.request_timeout_ms=3000"])
    assert changed.values == {"request_settings": {"request_timeout_ms": 3000}}


def test_the_original_stays_as_it_was():
    original = source(a={"b": 1})
    set_values(original, ["a.b=2"])
    assert original.values == {"a": {"b": 1}}


def test_list_items_are_set_by_index():
    assert set_values(source(a=[{"b": 1}, 2]), ["a[0].b=3", "a[-1]=4"]).values == {"a": [{"b": 3}, 4]}


@pytest.mark.parametrize("change", ["a[5]=1", "a.b=1", "b[0]=1", "a", "c.d.e[0]=1"])
def test_what_does_not_fit_the_document_is_refused(change: str):
    with pytest.raises(Invalid):
        set_values(source(a=[1], b={"x": 1}), [change])


def test_add_appends_to_lists_and_adds_keys():
    changed = add_values(source(a=[1], tags={"x": "1"}), ["a=2", "tags.y=2"])
    assert changed.values == {"a": [1, 2], "tags": {"x": "1", "y": 2}}


def test_remove_takes_keys_and_items_away():
    changed = remove_values(source(a=[1, 2], tags={"x": 1, "y": 2}), ["a[0]", "tags.x"])
    assert changed.values == {"a": [2], "tags": {"y": 2}}
    with pytest.raises(Invalid, match="not in the document"):
        remove_values(source(), ["tags.x"])


def test_what_was_changed_no_longer_claims_a_line_of_the_file():
    changed = set_values(read_yaml("a: 1\nb:\n  c: 2\n"), ["b.c=3"])
    assert changed.line(("a",)) == 1
    assert changed.line(("b", "c")) == 2
