"""A deployment that another is to be like: what its revision suggests to the steps. People may change all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from endpoints import selectors
from endpoints.assets.store import MissingAsset
from endpoints.models import DeploymentRevision
from endpoints.services.store import asset_store
from endpoints.spec.errors import SlipwayError
from studio.access.models import User

_MAX_SCRIPT_BYTES = 1024 * 1024


def pattern(user: User, wish: Mapping[str, str]) -> DeploymentRevision | None:
    """The present revision of the deployment that `like` names, None where there is none the person may read."""
    if not wish.get("like") or not wish.get("endpoint"):
        return None
    try:
        return selectors.revision_now(selectors.get_deployment(user, wish["endpoint"], wish["like"]))
    except SlipwayError:
        return None


def model_of(revision: DeploymentRevision) -> str:
    """Its registered model as `name:version`, "" for none or one that was only brought along."""
    version = revision.model_version
    return f"{version.model.name}:{version.version}" if version and not version.is_anonymous else ""


def environment_of(revision: DeploymentRevision) -> dict[str, Any]:
    """Fields of the environment: a registered one by name, one that was brought along by its list of packages."""
    version = revision.environment_version
    if version is None:
        return {}
    if not version.is_anonymous:
        return {"environment": "registered", "registered": f"{version.environment.name}:{version.version}"}
    if version.conda_text:
        return {"environment": "conda", "conda": version.conda_text, "image": version.image}
    if version.requirements:
        return {"environment": "requirements", "requirements": version.requirements, "image": version.image}
    return {}


def script_of(revision: DeploymentRevision) -> dict[str, Any]:
    """Fields of the script, where its folder holds that one file; code of many files has to be brought again."""
    code = revision.spec.get("code_configuration")
    if not code or not revision.code_digest:
        return {}
    name = code["scoring_script"]
    try:
        entries = asset_store().manifest(revision.code_digest).entries
        if [entry.path for entry in entries] != [name]:
            return {"code": "upload", "scoring_script": name}
        with asset_store().open_file(revision.code_digest, name) as file:
            script = file.read(_MAX_SCRIPT_BYTES).decode("utf-8", errors="replace")
    except MissingAsset:
        return {}
    return {"code": "editor", "script_name": name, "script": script}


def variables_of(revision: DeploymentRevision) -> dict[str, Any]:
    variables = revision.spec.get("environment_variables") or {}
    return {"variables": "\n".join(f"{name}={value}" for name, value in variables.items())} if variables else {}


def compute_of(revision: DeploymentRevision) -> dict[str, Any]:
    """Fields of size, limits and probes."""
    found = {
        "instance_type": revision.spec.get("instance_type"),
        "instance_count": revision.deployment.instance_count,
        **(revision.spec.get("request_settings") or {}),
    }
    for kind in ("liveness", "readiness"):
        probe = revision.spec.get(f"{kind}_probe") or {}
        found |= {f"{kind}_{name}": value for name, value in probe.items()}
    return {name: value for name, value in found.items() if value is not None}
