"""Which builder makes what a target can run: virtual environments for processes, images for containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from endpoints.environments.builds import BuildResult
from endpoints.environments.image_builder import ImageBuilder
from endpoints.environments.spec import EnvironmentSpec
from endpoints.environments.venv_builder import VenvBuilder
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogLine


class Builder(Protocol):
    """What every builder does; see `VenvBuilder` for the contract."""

    def log_file(self, key: str) -> Path: ...

    def find(self, spec: EnvironmentSpec) -> BuildResult | None: ...

    def build(
        self,
        spec: EnvironmentSpec,
        *,
        log: Callable[[LogLine], None] = ...,
        is_cancelled: Callable[[], bool] = ...,
    ) -> BuildResult: ...

    def remove(self, key: str) -> None: ...


def builder_for(target: str, home: Home) -> Builder:
    """The builder for a build target: `docker`, else `process`."""
    return ImageBuilder(home) if target == "docker" else VenvBuilder(home)
