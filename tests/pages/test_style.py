"""The sheets keep their rules, and every text can be read in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "static" / "css"
SHEETS = sorted(CSS.glob("*.css"))
PAIR = re.compile(r"--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in PAIR.findall((CSS / "tokens.css").read_text())}
SURFACES = ("bg", "surface", "surface-2")
STATES = ("ok", "warn", "bad", "busy")
SERIES = [name for name in TOKENS if name.startswith("series-")]
# (text, what it stands on)
READ = [
    *((text, ground) for text in ("text", "text-2", "text-3", "accent", "bad") for ground in SURFACES),
    *((state, f"{state}-soft") for state in STATES),
    ("accent", "accent-soft"),
    ("text", "accent-soft"),
    ("text-2", "accent-soft"),
    ("on-accent", "accent"),
    *(("on-accent", series) for series in SERIES),
    *((text, ground) for text in ("log-text", "log-dim", "log-warn", "log-bad") for ground in ("log-bg", "log-mark")),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_of_black_and_white_is_twenty_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize(("text", "ground"), READ, ids=lambda name: name)
def test_text_can_be_read_in_both_themes(text: str, ground: str) -> None:
    for theme in (0, 1):
        assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_a_sheet_keeps_the_rules(sheet: Path) -> None:
    rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    assert "!important" not in rules
    selectors = re.findall(r"([^{}]+)\{", rules)
    assert not [selector for selector in selectors if re.search(r"#[a-z]", selector)]
    if sheet.name != "tokens.css":
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|light-dark\(", rules)


def first_classes(sheet: Path) -> set[str]:
    return set(re.findall(r"^\s+\.([\w-]+)", sheet.read_text(), flags=re.MULTILINE))


def test_the_sheet_of_charts_shares_no_class_with_the_others() -> None:
    charts = CSS / "charts.css"
    for other in set(SHEETS) - {charts}:
        assert not first_classes(charts) & first_classes(other)


def test_every_colour_of_the_tokens_is_a_pair() -> None:
    declared = re.findall(r"(--[\w-]+):([^;]*#[0-9a-f]{3,8}[^;]*);", (CSS / "tokens.css").read_text())
    assert declared
    assert all("light-dark(" in value for _, value in declared)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_a_sheet_names_no_token_that_is_not_there(sheet: Path) -> None:
    known = set(re.findall(r"(--[\w-]+):", (CSS / "tokens.css").read_text()))
    given_by_pages = {"--share", "--c"}
    assert set(re.findall(r"var\((--[\w-]+)", sheet.read_text())) <= known | given_by_pages
