"""Every test of the contract runs against every compute target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.contract.harness import DockerHarness, FakeHarness, ProcessHarness, Target, closing


@pytest.fixture(
    params=[
        pytest.param(FakeHarness, id="fake"),
        pytest.param(ProcessHarness, id="process"),
        pytest.param(DockerHarness, id="docker", marks=pytest.mark.docker),
    ]
)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    yield from closing(Target(request.param(tmp_path)))
