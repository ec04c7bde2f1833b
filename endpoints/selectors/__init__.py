"""Authorised reads: fetching a row and checking permission are one call. Nothing here writes.

Every function takes the person first and raises NotFound or Forbidden of `endpoints.spec.errors`.
"""

from endpoints.selectors.addresses import openapi_uri, scoring_uri
from endpoints.selectors.compute import (
    DeploymentUsage,
    FamilyUsage,
    LimitUsage,
    WhatIf,
    get_quota_request,
    instance_types,
    limits_usage,
    quota_history,
    quota_requests,
    quota_usage,
    size_of,
    what_if,
)
from endpoints.selectors.environments import build_of, environment_versions, environments_for, get_environment_version
from endpoints.selectors.loans import loan_of, loans_for, loans_of
from endpoints.selectors.logs import build_log, build_log_sources, deployment_logs, dropped_logs, log_sources
from endpoints.selectors.metrics import Mark, cost_per_hour, marks, readings, readings_of, recent_figures, sparks
from endpoints.selectors.online import (
    authorised_deployment,
    authorised_endpoint,
    current_revision,
    deployments_of,
    deployments_using,
    endpoints_for,
    get_deployment,
    get_endpoint,
    instances_of,
    recent_failures,
    revision_now,
    revisions_of,
    shown_revision,
)
from endpoints.selectors.operations import get_operation, operations_for
from endpoints.selectors.registry import get_model_version, model_versions, models_for
from endpoints.selectors.revisions import RevisionEntry, get_revision, revision_changes, revision_history
from endpoints.selectors.rollouts import evidence_for, get_rollout, rollouts_for, side_by_side
from endpoints.selectors.studio_settings import (
    SettingState,
    has_reservation,
    setting,
    setting_changes,
    studio_settings,
)

__all__ = [
    "DeploymentUsage",
    "FamilyUsage",
    "LimitUsage",
    "Mark",
    "RevisionEntry",
    "SettingState",
    "WhatIf",
    "authorised_deployment",
    "authorised_endpoint",
    "build_log",
    "build_log_sources",
    "build_of",
    "cost_per_hour",
    "current_revision",
    "deployment_logs",
    "deployments_of",
    "deployments_using",
    "dropped_logs",
    "endpoints_for",
    "environment_versions",
    "environments_for",
    "evidence_for",
    "get_deployment",
    "get_endpoint",
    "get_environment_version",
    "get_model_version",
    "get_operation",
    "get_quota_request",
    "get_revision",
    "get_rollout",
    "has_reservation",
    "instance_types",
    "instances_of",
    "limits_usage",
    "loan_of",
    "loans_for",
    "loans_of",
    "log_sources",
    "marks",
    "model_versions",
    "models_for",
    "openapi_uri",
    "operations_for",
    "quota_history",
    "quota_requests",
    "quota_usage",
    "readings",
    "readings_of",
    "recent_failures",
    "recent_figures",
    "revision_changes",
    "revision_history",
    "revision_now",
    "revisions_of",
    "rollouts_for",
    "scoring_uri",
    "setting",
    "setting_changes",
    "shown_revision",
    "side_by_side",
    "size_of",
    "sparks",
    "studio_settings",
    "what_if",
]
