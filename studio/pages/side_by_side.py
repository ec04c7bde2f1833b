"""Two bodies beside each other, line by line, with what differs marked. Pure: text in, rows out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_LINES = 400  # of each side that are looked at
MOST_CHARACTERS = 400  # of a line that are shown
_WORDS = re.compile(r"\w+|\W")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a line. is_marked: it is not on the other side."""

    text: str
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each side; number None: there is none. is_same: both are alike."""

    left_number: int | None
    left: tuple[Part, ...]
    right_number: int | None
    right: tuple[Part, ...]
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class SideBySide:
    """is_cut: one of them goes on beyond what was looked at."""

    rows: tuple[Row, ...]
    is_cut: bool


def side_by_side(left: str, right: str) -> SideBySide:
    """The lines of both."""
    ours, theirs = left.splitlines(), right.splitlines()
    is_cut = len(ours) > MOST_LINES or len(theirs) > MOST_LINES
    ours, theirs = ours[:MOST_LINES], theirs[:MOST_LINES]
    is_cut = is_cut or any(len(line) > MOST_CHARACTERS for line in (*ours, *theirs))
    return SideBySide(tuple(_rows(ours, theirs)), is_cut)


def _rows(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Row]:
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, left_at, left_end, right_at, right_end in matcher.get_opcodes():
        for offset in range(max(left_end - left_at, right_end - right_at)):
            left, right = left_at + offset, right_at + offset
            has_left, has_right = left < left_end, right < right_end
            one, other = ours[left] if has_left else "", theirs[right] if has_right else ""
            is_same = tag == "equal"
            marked = (_plain(one), _plain(other)) if is_same else _marked(one, other)
            yield Row(left + 1 if has_left else None, marked[0], right + 1 if has_right else None, marked[1], is_same)


def _plain(line: str) -> tuple[Part, ...]:
    return (Part(line[:MOST_CHARACTERS]),)


def _marked(one: str, other: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both lines with the words that differ marked; whole lines where too little is alike."""
    left, right = _WORDS.findall(one[:MOST_CHARACTERS]), _WORDS.findall(other[:MOST_CHARACTERS])
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    ours: list[Part] = []
    theirs: list[Part] = []
    for tag, left_at, left_end, right_at, right_end in matcher.get_opcodes():
        is_marked = tag != "equal"
        if left_end > left_at:
            ours.append(Part("".join(left[left_at:left_end]), is_marked))
        if right_end > right_at:
            theirs.append(Part("".join(right[right_at:right_end]), is_marked))
    return tuple(ours), tuple(theirs)
