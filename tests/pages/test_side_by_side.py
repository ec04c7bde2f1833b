"""Two bodies beside each other."""

from __future__ import annotations

from studio.pages.side_by_side import MOST_LINES, Part, Row, side_by_side


def test_lines_that_are_alike_are_not_marked() -> None:
    assert side_by_side("a\nb", "a\nb").rows == (
        Row(1, (Part("a"),), 1, (Part("a"),), True),
        Row(2, (Part("b"),), 2, (Part("b"),), True),
    )


def test_of_lines_that_differ_the_words_are_marked() -> None:
    [row] = side_by_side('"score": 0.5,', '"score": 0.7,').rows
    assert [part.text for part in row.left if part.is_marked] == ["5"]
    assert [part.text for part in row.right if part.is_marked] == ["7"]
    assert "".join(part.text for part in row.left) == '"score": 0.5,'


def test_a_line_of_one_side_alone_has_no_number_on_the_other() -> None:
    rows = side_by_side("a\nb\nc", "a\nc").rows
    assert [(row.left_number, row.right_number) for row in rows] == [(1, 1), (2, None), (3, 2)]


def test_long_texts_are_cut_and_say_so() -> None:
    found = side_by_side("x\n" * 2000, "y\n" * 2000)
    assert len(found.rows) == MOST_LINES and found.is_cut
    assert side_by_side("x" * 9999, "y").is_cut
    assert not side_by_side("x", "y").is_cut
