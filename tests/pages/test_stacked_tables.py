"""Tables whose rows stack on a phone: there the word beside a cell is all that says which column it is of."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from endpoints.models import OnlineEndpoint
from studio.access.models import User
from tests.pages.conftest import visiting
from tests.pages.test_every_page import PAGES, Page

Attributes = dict[str, str | None]


@dataclass
class Table:
    """One table of a page. heads: the words above its columns; rows: the attributes of every row's cells."""

    stacks: bool
    heads: list[str] = field(default_factory=list)
    rows: list[list[Attributes]] = field(default_factory=list)
    is_head: bool = False

    def unnamed(self) -> list[tuple[str, Attributes]]:
        """Cells that do not say their column, though they are not their row's title."""
        whole = [row for row in self.rows if len(row) == len(self.heads)]
        return [
            (head, cell)
            for row in whole
            for place, (head, cell) in enumerate(zip(self.heads, row, strict=True))
            if head and cell.get("data-label") != head and not self.is_title(row, place)
        ]

    def is_title(self, row: list[Attributes], place: int) -> bool:
        leads = ["lead" in (cell.get("class") or "").split() for cell in row]
        return leads[place] or (place == 0 and not any(leads) and "data-label" not in row[0])


class Tables(HTMLParser):
    """The tables of a page, those within cells of others included."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Table] = []
        self.open: list[Table] = []
        self.in_heading = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "table":
            self.open.append(Table("stacks" in (values.get("class") or "").split()))
        elif self.open and tag == "thead":
            self.open[-1].is_head = True
        elif self.open and tag == "tr" and not self.open[-1].is_head:
            self.open[-1].rows.append([])
        elif self.open and tag in {"td", "th"}:
            self.cell(self.open[-1], values)

    def cell(self, table: Table, values: Attributes) -> None:
        if not table.is_head:
            table.rows[-1].append(values)
            return
        table.heads.append("")
        self.in_heading = True

    def handle_data(self, data: str) -> None:
        if self.in_heading:
            self.open[-1].heads[-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.in_heading = False
        elif tag == "thead" and self.open:
            self.open[-1].is_head = False
        elif tag == "table":
            self.found.append(self.open.pop())


def test_a_cell_without_its_columns_word_is_found() -> None:
    text = "<table class=stacks><thead><tr><th>Name<th>State<tbody><tr><td>blue<td>Ready</table>"
    closed = text.replace("<th>State", "</th><th>State").replace("<tbody>", "</th></thead><tbody>")
    [table] = Tables(closed).found
    assert [head for head, _ in table.unnamed()] == ["State"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.name}-{'-'.join(page.args)}")
def test_cells_that_stack_name_their_columns(page: Page, olivia: User, risk: OnlineEndpoint) -> None:
    for table in Tables(visiting(olivia).get(page.url).text).found:
        if table.stacks:
            assert table.rows
            assert not table.unnamed()


def test_the_front_page_has_tables_that_stack(olivia: User, risk: OnlineEndpoint) -> None:
    assert any(table.stacks for table in Tables(visiting(olivia).get("/").text).found)
