"""Every test of the contract runs against every compute target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.contract.harness import FakeHarness, ProcessHarness, Target, closing

HARNESSES: dict[str, type[FakeHarness] | type[ProcessHarness]] = {"fake": FakeHarness, "process": ProcessHarness}


@pytest.fixture(params=sorted(HARNESSES))
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    yield from closing(Target(HARNESSES[request.param](tmp_path)))
