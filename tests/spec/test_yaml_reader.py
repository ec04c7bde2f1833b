"""YAML with line numbers."""

from __future__ import annotations

import pytest

from endpoints.spec.errors import Invalid
from endpoints.spec.yaml_reader import dotted, read_yaml


def refusal(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read_yaml(text)
    return caught.value


def test_every_value_knows_its_line():
    source = read_yaml("name: blue\nmodel:\n  path: ./x\nhosts:\n- a\n- b: 1\n")
    assert source.values == {"name": "blue", "model": {"path": "./x"}, "hosts": ["a", {"b": 1}]}
    assert source.line(("name",)) == 1
    assert source.line(("model", "path")) == 3
    assert source.line(("hosts", 1, "b")) == 6


def test_what_is_not_there_has_the_line_of_what_is_around_it():
    source = read_yaml("name: blue\nmodel:\n  path: ./x\n")
    assert source.line(("model", "version")) == 2
    assert source.line(("nothing",)) == 1


def test_an_empty_file_is_refused_in_azures_words():
    assert "Target yaml file is empty" in refusal("# only a comment\n").message


def test_a_list_at_the_top_is_refused_in_azures_words():
    assert "Expect dict but get <class 'list'> after parsing yaml file" in refusal("- a\n- b\n").message


def test_a_broken_file_names_the_line():
    error = refusal("name: blue\nmodel: [1, 2\nx: y\n")
    assert error.details[0].line == 3
    assert "line 3" in error.message


def test_a_key_that_stands_twice_is_refused():
    error = refusal("name: blue\nname: green\n")
    assert "'name' stands twice" in error.message
    assert error.details[0].line == 2


def test_anchors_and_merges_are_read():
    source = read_yaml("a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\n")
    assert source.values["b"] == {"x": 1, "y": 3}


def test_a_value_that_contains_itself_is_refused():
    assert "contains itself" in refusal("a: &a [*a]\n").message


def test_a_document_that_unfolds_without_end_is_refused():
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    assert "more than" in refusal(f"l0: &l0 [x, x, x, x, x, x, x, x, x]\n{levels}\n").message


def test_a_tag_that_would_build_an_object_is_refused():
    assert "Not valid YAML" in refusal("a: !!python/object/apply:os.system ['true']\n").message


def test_deep_nesting_is_refused_without_a_crash():
    assert refusal("a: " + "[" * 5000).message


def test_dates_stay_the_text_that_was_written():
    assert read_yaml("released: 2024-05-01\n").values == {"released": "2024-05-01"}


def test_paths_are_written_with_dots_and_brackets():
    assert dotted(("a", "b", 0, "c")) == "a.b[0].c"
    assert dotted(()) == ""
