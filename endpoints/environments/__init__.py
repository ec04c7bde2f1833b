"""Environments: from a conda file, requirements or an image to something instances can run in, built once per content.

Knows nothing of records, versions or deployments; the control room decides when to build and keeps what came of it.
"""

from endpoints.environments.builds import BuildCanceled, BuildFailed, BuildResult, StoredBuild
from endpoints.environments.spec import EnvironmentSpec, Recipe, build_key, recipe_of
from endpoints.environments.venv_builder import VenvBuilder

__all__ = [
    "BuildCanceled",
    "BuildFailed",
    "BuildResult",
    "EnvironmentSpec",
    "Recipe",
    "StoredBuild",
    "VenvBuilder",
    "build_key",
    "recipe_of",
]
