"""What the walk sends where an empty body would be refused before anybody asks for permission."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from endpoints import selectors, services
from endpoints.models import OnlineDeployment
from tests.walk.world import DEPLOYMENT, ROLLOUT


def deployment_document(**changes: object) -> dict[str, Any]:
    """Of the deployment that is there, as its owner would write it."""
    row = OnlineDeployment.objects.select_related("endpoint").get(name=DEPLOYMENT)
    return {**services.document_of(selectors.revision_now(row)), **changes}


_DOCUMENT = {"name": "diabetes-risk", "description": "walked"}
BODIES: Mapping[str, Any] = {
    "api:tokens post": {"name": "walk"},
    "api:uploads post": {"purpose": "model", "root_name": "m"},
    "api:environments post": {"name": "walked", "requirements_file": "joblib\n"},
    "api:endpoints post": {"name": "walked"},
    "api:endpoint put": _DOCUMENT,
    "api:endpoint patch": {"description": "walked"},
    "api:endpoint-traffic put": {"traffic": {"blue": 100}},
    "api:deployment patch": {"instance_count": 2},
    "api:deployment-scaling put": {"maximum": 2},
    "api:deployment-scaling patch": {"maximum": 2},
    "api:deployment-loan patch": {"hours": 1},
    "api:deployment-rollback post": {"revision": 1},
    "api:plan post": {"documents": [_DOCUMENT]},
    "api:rollouts post": ROLLOUT,
    "api:models post": {"name": "walked", "path": f"tree:{'0' * 64}"},
    "api:deployments post": lambda: deployment_document(name="walked"),
    "api:deployment put": deployment_document,
    "api:instance-types post": {"name": "Own_8", "family": "Own", "cores": 8, "memory_gib": 32},
    "api:quota-requests post": {"family": "DSv2", "limit_cores": 400},
    "api:quota-decline post": {"note": "No."},
    "api:quota-family put": {"limit_cores": 24},
    "api:setting put": {"value": 50},
}


def body_of(key: str) -> str:
    """As JSON; `{}` where nothing is needed."""
    body = BODIES.get(key, {})
    return json.dumps(body() if callable(body) else body)
