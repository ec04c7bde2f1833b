"""Offers one file of the plotly wheel as a static file, `plotly/plotly.min.js`, and nothing that lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

PREFIX = "plotly"
FILE = "plotly.min.js"


def _folder() -> Path:
    return Path(str(files("plotly") / "package_data"))


class PlotlyFinder(BaseFinder):
    """Knows a single path."""

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        found = [str(_folder() / FILE)] if path == f"{PREFIX}/{FILE}" else []
        return found if find_all else (found[0] if found else [])

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = FileSystemStorage(location=_folder())
        storage.prefix = PREFIX  # type: ignore[attr-defined]  # collectstatic reads it
        yield FILE, storage
