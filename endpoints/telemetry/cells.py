"""Rollup rows as values that merge: read from the database, added up, written back whole. Knows no meaning of a row."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from endpoints.models.telemetry import Rollup
from endpoints.spec.histogram import Histogram
from endpoints.telemetry.packing import pack, unpack

BATCH_ROWS = 500


@dataclass(slots=True)
class Cell:
    """The numbers of one key in one slot, in the order of the model's SUMS, PEAKS and HISTOGRAMS."""

    sums: list[int]
    peaks: list[int]
    histograms: list[Histogram]

    def merge(self, other: Cell) -> None:
        """Add `other`, which has the same key."""
        self.sums = [mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True)]
        self.peaks = [max(mine, theirs) for mine, theirs in zip(self.peaks, other.peaks, strict=True)]
        for mine, theirs in zip(self.histograms, other.histograms, strict=True):
            mine.merge(theirs)


# (start_s, *key): the slot and the dimensions.
Place: TypeAlias = tuple[int, *tuple[object, ...]]
Cells: TypeAlias = dict[Place, Cell]


def add(cells: Cells, place: Place, cell: Cell) -> None:
    """Merge `cell` into what stands at `place`; the cell belongs to `cells` from then on."""
    if place in cells:
        cells[place].merge(cell)
    else:
        cells[place] = cell


def slot_of(second: float, grain_s: int) -> int:
    """The start of the slot that holds a Unix time."""
    return int(second // grain_s) * grain_s


def read(model: type[Rollup], grain_s: int, starts: Collection[int]) -> Cells:
    """All cells of the slots that begin at `starts`."""
    return _read(model, model._default_manager.filter(grain_s=grain_s, start_s__in=starts), None)


def read_coarser(model: type[Rollup], finer_s: int, start_s: int, grain_s: int) -> Cells:
    """The cells of one coarser slot, made of the finer ones within it."""
    rows = model._default_manager.filter(grain_s=finer_s, start_s__gte=start_s, start_s__lt=start_s + grain_s)
    return _read(model, rows, start_s)


def _read(model: type[Rollup], rows: Iterable[Rollup], start_s: int | None) -> Cells:
    cells: Cells = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in model.KEY)
        cell = Cell(
            [getattr(row, name) for name in model.SUMS],
            [getattr(row, name) for name in model.PEAKS],
            [unpack(bytes(getattr(row, name))) for name in model.HISTOGRAMS],
        )
        add(cells, (row.start_s if start_s is None else start_s, *key), cell)
    return cells


def write(model: type[Rollup], grain_s: int, cells: Cells) -> None:
    """Store the cells as they are; what stood there is replaced."""
    unique = ["grain_s", "start_s", *model.KEY]
    changed = [*model.SUMS, *model.PEAKS, *model.HISTOGRAMS]
    rows = []
    for (start_s, *key), cell in cells.items():
        values = [*cell.sums, *cell.peaks, *map(pack, cell.histograms)]
        rows.append(
            model(
                grain_s=grain_s,
                start_s=start_s,
                **dict(zip(model.KEY, key, strict=True)),
                **dict(zip(changed, values, strict=True)),
            )
        )
    model._default_manager.bulk_create(
        rows, batch_size=BATCH_ROWS, update_conflicts=True, unique_fields=unique, update_fields=changed
    )


def merge_into(model: type[Rollup], grain_s: int, cells: Cells) -> None:
    """Add the cells to what is stored. Call it under `endpoints.telemetry.rollups.locked`."""
    if not cells:
        return
    starts = {place[0] for place in cells}
    stored = read(model, grain_s, starts)
    for place, cell in cells.items():
        if place in stored:
            stored[place].merge(cell)
            cells[place] = stored[place]
    write(model, grain_s, cells)
