"""Every address: what the owner gets, what a stranger gets, and that none is without a rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from rest_framework.test import APIClient

from endpoints.api.urls import urlpatterns
from studio.access.models import User
from tests.api.conftest import door_of
from tests.services import world

E, D = "online-endpoints/risk", "online-endpoints/risk/deployments/blue"
M, N = "models/forest", "environments/scoring"
HIDDEN, REFUSED, OWN = 404, 403, None


@dataclass(frozen=True)
class Rule:
    """A call at an address: what it answers to the owner, and to a stranger (OWN: the same, of one's own things)."""

    name: str
    method: str
    path: str
    status: int
    stranger: int | None
    body: dict[str, Any] = field(default_factory=dict)

    def call(self, client: APIClient, ids: dict[str, Any]) -> Any:
        path = self.path.format(**ids)
        data = self.body if self.method != "get" else None
        return getattr(client, self.method)(f"/api/v1/{path}", data, format="json")


RULES = [
    Rule("me", "get", "me", 200, OWN),
    Rule("tokens", "get", "tokens", 200, OWN),
    Rule("tokens", "post", "tokens", 201, OWN, {"name": "CI", "expires_in_days": 3}),
    Rule("token", "delete", "tokens/0123456789abcde", 404, OWN),
    Rule("models", "get", "models", 200, REFUSED),
    Rule("models", "post", "models", 400, 400),
    Rule("model-versions", "get", f"{M}/versions", 200, REFUSED),
    Rule("model-version", "get", f"{M}/versions/latest", 200, REFUSED),
    Rule("model-version", "patch", f"{M}/versions/1", 200, REFUSED, {"description": "new"}),
    Rule("model-archive", "post", f"{M}/versions/1/archive", 200, REFUSED),
    Rule("model-restore", "post", f"{M}/versions/1/restore", 200, REFUSED),
    Rule("model-archive-all", "post", f"{M}/archive", 200, REFUSED),
    Rule("model-restore-all", "post", f"{M}/restore", 200, REFUSED),
    Rule("model-download", "get", f"{M}/versions/1/download", 200, REFUSED),
    Rule("environments", "get", "environments", 200, REFUSED),
    Rule("environments", "post", "environments", 201, REFUSED, {"name": "lean", "requirements_file": "joblib\n"}),
    Rule("environment-versions", "get", f"{N}/versions", 200, REFUSED),
    Rule("environment-version", "get", f"{N}/versions/1", 200, REFUSED),
    Rule("environment-version", "patch", f"{N}/versions/1", 200, REFUSED, {"tags": {"a": "b"}}),
    Rule("environment-archive", "post", f"{N}/versions/1/archive", 200, REFUSED),
    Rule("environment-restore", "post", f"{N}/versions/1/restore", 200, REFUSED),
    Rule("environment-archive-all", "post", f"{N}/archive", 200, REFUSED),
    Rule("environment-restore-all", "post", f"{N}/restore", 200, REFUSED),
    Rule("environment-build", "post", f"{N}/versions/1/build", 202, REFUSED),
    Rule("environment-build-log", "get", f"{N}/versions/1/build-log", 200, REFUSED),
    Rule("uploads", "post", "uploads", 201, REFUSED, {"purpose": "model", "root_name": "m"}),
    Rule("upload", "get", "uploads/{upload}", 200, HIDDEN),
    Rule("upload-files", "put", "uploads/{upload}/files", 200, HIDDEN),
    Rule("upload-complete", "post", "uploads/{upload}/complete", 400, HIDDEN),
    Rule("upload", "delete", "uploads/{upload}", 204, HIDDEN),
    Rule("endpoints", "get", "online-endpoints", 200, REFUSED),
    Rule("endpoints", "post", "online-endpoints", 202, REFUSED, {"name": "fraud"}),
    Rule("endpoint", "get", E, 200, HIDDEN),
    Rule("endpoint", "put", E, 202, REFUSED, {"name": "risk", "description": "new"}),
    Rule("endpoint", "patch", E, 202, HIDDEN, {"description": "new"}),
    Rule("endpoint", "delete", E, 202, HIDDEN),
    Rule("endpoint-keys", "get", f"{E}/keys", 200, HIDDEN),
    Rule("endpoint-regenerate-keys", "post", f"{E}/regenerate-keys", 200, HIDDEN),
    Rule("endpoint-token", "post", f"{E}/token", 409, HIDDEN),
    Rule("endpoint-traffic", "put", f"{E}/traffic", 202, HIDDEN, {"traffic": {"blue": 100}}),
    Rule("endpoint-invoke", "post", f"{E}/invoke", 503, HIDDEN, {"data": []}),
    Rule("endpoint-metrics", "get", f"{E}/metrics?name=RequestsPerMinute", 200, HIDDEN),
    Rule("rollouts", "get", f"{E}/rollouts", 200, HIDDEN),
    Rule("rollouts", "post", f"{E}/rollouts", 400, 400),
    Rule("rollout", "get", f"{E}/rollouts/1", 404, HIDDEN),
    Rule("rollout-pause", "post", f"{E}/rollouts/1/pause", 404, HIDDEN),
    Rule("rollout-resume", "post", f"{E}/rollouts/1/resume", 404, HIDDEN),
    Rule("rollout-promote", "post", f"{E}/rollouts/1/promote", 404, HIDDEN),
    Rule("rollout-abort", "post", f"{E}/rollouts/1/abort", 404, HIDDEN),
    Rule("comparison", "get", f"{E}/comparison", 200, HIDDEN),
    Rule("comparison-examples", "get", f"{E}/comparison/examples", 200, HIDDEN),
    Rule("comparison-example", "get", f"{E}/comparison/examples/1", 404, HIDDEN),
    Rule("comparison-reset", "post", f"{E}/comparison/reset", 409, HIDDEN),
    Rule("comparison-promote", "post", f"{E}/comparison/promote", 409, HIDDEN),
    Rule("deployments", "get", f"{E}/deployments", 200, HIDDEN),
    Rule("deployments", "post", f"{E}/deployments", 400, 400),
    Rule("deployment", "get", D, 200, HIDDEN),
    Rule("deployment", "put", D, 400, 400),
    Rule("deployment", "patch", D, 202, HIDDEN, {"instance_count": 2}),
    Rule("deployment", "delete", D, 202, HIDDEN),
    Rule("deployment-logs", "get", f"{D}/logs", 200, HIDDEN),
    Rule("deployment-retry", "post", f"{D}/retry", 409, HIDDEN),
    Rule("deployment-start", "post", f"{D}/start", 409, HIDDEN),
    Rule("deployment-loan", "patch", f"{D}/loan", 404, HIDDEN, {"hours": 1}),
    Rule("deployment-loan", "delete", f"{D}/loan", 404, HIDDEN),
    Rule("deployment-revisions", "get", f"{D}/revisions", 200, HIDDEN),
    Rule("deployment-revision", "get", f"{D}/revisions/1", 200, HIDDEN),
    Rule("deployment-rollback", "post", f"{D}/rollback", 200, HIDDEN, {"revision": 1}),
    Rule("deployment-scaling", "get", f"{D}/scaling", 200, HIDDEN),
    Rule("deployment-scaling", "put", f"{D}/scaling", 202, HIDDEN, {"maximum": 2}),
    Rule("deployment-scaling", "patch", f"{D}/scaling", 409, HIDDEN, {"maximum": 2}),
    Rule("deployment-scaling", "delete", f"{D}/scaling", 409, HIDDEN),
    Rule("deployment-scaling-decisions", "get", f"{D}/scaling/decisions", 200, HIDDEN),
    Rule("deployment-wake", "post", f"{D}/wake", 200, HIDDEN),
    Rule("deployment-sleep", "post", f"{D}/sleep", 409, HIDDEN),
    Rule("scaling-policies", "get", "scaling-policies", 200, REFUSED),
    Rule("plan", "post", "plan", 200, HIDDEN, {"documents": [{"name": "risk", "description": "new"}]}),
    Rule("operations", "get", "operations", 200, REFUSED),
    Rule("operation", "get", "operations/{operation}", 200, HIDDEN),
    Rule("operation-cancel", "post", "operations/{operation}/cancel", 202, HIDDEN),
    Rule("instance-types", "get", "instance-types", 200, REFUSED),
    Rule(
        "instance-types",
        "post",
        "instance-types",
        201,
        REFUSED,
        {"name": "Own_8", "family": "Own", "cores": 8, "memory_gib": 32},
    ),
    Rule("instance-type", "patch", "instance-types/standard_ds3_v2", 200, REFUSED, {"price_per_hour": "0.25"}),
    Rule("quota-requests", "get", "quota-requests", 200, REFUSED),
    Rule("quota-requests", "post", "quota-requests", 201, REFUSED, {"family": "DSv2", "limit_cores": 300}),
    Rule("quota-approve", "post", "quota-requests/1/approve", 404, REFUSED),
    Rule("quota-decline", "post", "quota-requests/1/decline", 404, REFUSED, {"note": "No."}),
    Rule("loans", "get", "loans", 200, REFUSED),
    Rule("audit", "get", "audit", 200, REFUSED),
    Rule("quota", "get", "quota", 200, REFUSED),
    Rule("quota-family", "put", "quota/DSv2", 200, REFUSED, {"limit_cores": 24}),
    Rule("settings", "get", "settings", 200, REFUSED),
    Rule("settings-history", "get", "settings/history", 200, REFUSED),
    Rule("setting", "put", "settings/endpoints", 200, REFUSED, {"value": 50}),
    Rule("setting", "delete", "settings/endpoints", 200, REFUSED),
    Rule("schema", "get", "schema", 200, OWN),
    Rule("unknown", "get", "no-such-thing", 404, OWN),
]
EVERYONE = {"unknown"}

ids = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.method} {rule.path}")


@pytest.fixture(autouse=True)
def no_gateway(settings: Any) -> None:
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"


def test_no_address_is_without_a_rule() -> None:
    assert {pattern.name for pattern in urlpatterns} == {rule.name for rule in RULES}


def test_every_method_of_every_address_has_a_rule() -> None:
    served = {
        (pattern.name, method)
        for pattern in urlpatterns
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(vars(pattern.callback)["view_class"], method)
    }
    assert served == {(rule.name, rule.method) for rule in RULES}


@ids
def test_the_owner_is_answered(rule: Rule, door: APIClient, workspace: dict[str, Any]) -> None:
    answer = rule.call(door, workspace)
    assert answer.status_code == rule.status, getattr(answer, "data", answer)


@ids
def test_a_stranger_is_refused(rule: Rule, stranger: User, workspace: dict[str, Any]) -> None:
    answer = rule.call(door_of(stranger), workspace)
    assert answer.status_code == (rule.status if rule.stranger is OWN else rule.stranger)
    if answer.status_code == REFUSED:
        assert "the action Microsoft." in answer.data["error"]["message"]


@ids
def test_nobody_is_asked_who_they_are(rule: Rule, workspace: dict[str, Any]) -> None:
    answer = rule.call(APIClient(), workspace)
    assert answer.status_code == (404 if rule.name in EVERYONE else 401)
    assert answer.data["error"]["code"] in {"Unauthorized", "ResourceNotFound"}


def test_a_stranger_with_a_whole_document_is_refused_too(stranger: User, owner: User, workspace: object) -> None:
    document = world.deployment_document(owner, name="green")
    answer = door_of(stranger).post(f"/api/v1/{E}/deployments", document, format="json")
    assert answer.status_code == HIDDEN
    document["name"] = "blue"
    assert door_of(stranger).put(f"/api/v1/{D}", document, format="json").status_code == HIDDEN
    model = {"name": "theirs", "path": f"tree:{'0' * 64}"}
    assert door_of(stranger).post("/api/v1/models", model, format="json").status_code == REFUSED
