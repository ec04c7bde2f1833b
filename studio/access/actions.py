"""Azure's action strings, the words in which every permission is given and asked for (contract B11).

A role's JSON copied from Azure means the same here. Wildcards belong to roles; these constants are exact.
"""

from __future__ import annotations

_PROVIDER = "Microsoft.MachineLearningServices"
_WORKSPACE = f"{_PROVIDER}/workspaces"
_ONLINE = f"{_WORKSPACE}/onlineEndpoints"

# Asked for one endpoint; everything below it counts as that endpoint's.
ENDPOINTS_READ = f"{_ONLINE}/read"
ENDPOINTS_WRITE = f"{_ONLINE}/write"
ENDPOINTS_DELETE = f"{_ONLINE}/delete"
LIST_KEYS = f"{_ONLINE}/listKeys/action"
REGENERATE_KEYS = f"{_ONLINE}/regenerateKeys/action"
TOKEN = f"{_ONLINE}/token/action"
SCORE = f"{_ONLINE}/score/action"
# Ours: seeing answers of others' requests, as a comparison with a shadow keeps them. Like keys, no reader has it.
LIST_COMPARED_ANSWERS = f"{_ONLINE}/listComparedAnswers/action"
DEPLOYMENTS_READ = f"{_ONLINE}/deployments/read"
DEPLOYMENTS_WRITE = f"{_ONLINE}/deployments/write"
DEPLOYMENTS_DELETE = f"{_ONLINE}/deployments/delete"
LOGS_READ = f"{_ONLINE}/deployments/logs/read"

# Asked for the workspace.
WORKSPACE_WRITE = f"{_WORKSPACE}/write"
MODELS_READ = f"{_WORKSPACE}/models/read"
MODELS_WRITE = f"{_WORKSPACE}/models/write"
MODELS_DELETE = f"{_WORKSPACE}/models/delete"
ENVIRONMENTS_READ = f"{_WORKSPACE}/environments/read"
ENVIRONMENTS_WRITE = f"{_WORKSPACE}/environments/write"
ENVIRONMENTS_DELETE = f"{_WORKSPACE}/environments/delete"
QUOTA_READ = f"{_PROVIDER}/locations/quotas/read"
QUOTA_WRITE = f"{_PROVIDER}/locations/updateQuotas/action"
ROLES_READ = "Microsoft.Authorization/roleAssignments/read"
ROLES_WRITE = "Microsoft.Authorization/roleAssignments/write"
AUDIT_READ = "Microsoft.Insights/eventtypes/values/read"

ENDPOINT_ACTIONS: tuple[str, ...] = (
    ENDPOINTS_READ,
    ENDPOINTS_WRITE,
    ENDPOINTS_DELETE,
    LIST_KEYS,
    REGENERATE_KEYS,
    TOKEN,
    SCORE,
    LIST_COMPARED_ANSWERS,
    DEPLOYMENTS_READ,
    DEPLOYMENTS_WRITE,
    DEPLOYMENTS_DELETE,
    LOGS_READ,
)
WORKSPACE_ACTIONS: tuple[str, ...] = (
    WORKSPACE_WRITE,
    MODELS_READ,
    MODELS_WRITE,
    MODELS_DELETE,
    ENVIRONMENTS_READ,
    ENVIRONMENTS_WRITE,
    ENVIRONMENTS_DELETE,
    QUOTA_READ,
    QUOTA_WRITE,
    ROLES_READ,
    ROLES_WRITE,
    AUDIT_READ,
)
ALL: tuple[str, ...] = ENDPOINT_ACTIONS + WORKSPACE_ACTIONS
