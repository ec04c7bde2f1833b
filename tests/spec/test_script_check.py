"""The check of a scoring script's syntax."""

from __future__ import annotations

import pytest

from endpoints.spec.script_check import script_problem


def test_a_script_that_compiles_has_no_problem():
    assert script_problem(b"def init(): pass\ndef run(data): return data\n", file="score.py", deployment="blue") is None


def test_a_syntax_error_is_told_in_azures_words_with_its_line():
    problem = script_problem(
        b"def init():\n    pass\ndef run(data)\n    return 1\n", file="score.py", deployment="blue"
    )
    assert problem and problem.line == 3
    frame = "Failed to submit deployment blue due to syntax errors in scoring script score.py."
    assert problem.message.startswith(f"{frame} Error on line 3: def run(data)")
    assert "--skip-script-validation" in problem.message


@pytest.mark.parametrize("source", [b"a\0b", b"\xff\xfe", b"return 1", b"# coding: nonsense\n", b"(" * 2000])
def test_what_cannot_be_compiled_is_a_problem_and_no_crash(source: bytes):
    assert script_problem(source, file="s.py", deployment="blue") is not None


def test_a_doubtful_escape_is_no_problem():
    assert script_problem(b'pattern = "\\d"\n', file="s.py", deployment="blue") is None


def test_the_script_is_not_run():
    assert script_problem(b"raise SystemExit(1)\n", file="s.py", deployment="blue") is None
