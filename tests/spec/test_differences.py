"""What differs between two documents."""

from __future__ import annotations

from endpoints.spec.differences import Difference, differences


def test_equal_documents_do_not_differ():
    document = {"a": 1, "b": {"c": [1, 2]}}
    assert differences(document, dict(document)) == []


def test_a_nested_field_is_named_by_its_path():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}) == [Difference("a.b", 1, 3)]


def test_what_came_and_what_went_are_told_apart_by_none():
    assert differences({"old": 1}, {"new": 2}) == [Difference("new", None, 2), Difference("old", 1, None)]


def test_a_list_differs_as_a_whole():
    assert differences({"a": [1, 2]}, {"a": [1, 3]}) == [Difference("a", [1, 2], [1, 3])]
