"""Every address of the REST API, below /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import (
    access,
    comparisons,
    compute,
    deployments,
    endpoints,
    environments,
    governance,
    loans,
    metrics,
    models,
    operations,
    planning,
    revisions,
    rollouts,
    scaling,
    studio_settings,
    uploads,
)
from endpoints.api.doors import Door

app_name = "api"


@extend_schema(exclude=True)
class Unknown(Door):
    """An address that is none: the one error shape rather than a page."""

    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound(f"There is nothing at {request.path}; /api/docs/ lists what there is.")

    def get(self, request: Request) -> Response:
        raise NotFound


_E = "online-endpoints/<str:endpoint>"
_D = f"{_E}/deployments/<str:deployment>"
_R = f"{_E}/rollouts/<int:number>"
_M = "models/<str:name>"
_N = "environments/<str:name>"
_VERSION = "versions/<str:version>"

urlpatterns = [
    path("me", access.Me.as_view(), name="me"),
    path("tokens", access.Tokens.as_view(), name="tokens"),
    path("tokens/<str:token_key>", access.TokenDoor.as_view(), name="token"),
    path("models", models.Models.as_view(), name="models"),
    path(f"{_M}/versions", models.ModelVersions.as_view(), name="model-versions"),
    path(f"{_M}/archive", models.ModelArchive.as_view(), name="model-archive-all"),
    path(f"{_M}/restore", models.ModelRestore.as_view(), name="model-restore-all"),
    path(f"{_M}/{_VERSION}", models.ModelVersionDoor.as_view(), name="model-version"),
    path(f"{_M}/{_VERSION}/archive", models.ModelArchive.as_view(), name="model-archive"),
    path(f"{_M}/{_VERSION}/restore", models.ModelRestore.as_view(), name="model-restore"),
    path(f"{_M}/{_VERSION}/download", models.ModelDownload.as_view(), name="model-download"),
    path("environments", environments.Environments.as_view(), name="environments"),
    path(f"{_N}/versions", environments.EnvironmentVersions.as_view(), name="environment-versions"),
    path(f"{_N}/archive", environments.EnvironmentArchive.as_view(), name="environment-archive-all"),
    path(f"{_N}/restore", environments.EnvironmentRestore.as_view(), name="environment-restore-all"),
    path(f"{_N}/{_VERSION}", environments.EnvironmentVersionDoor.as_view(), name="environment-version"),
    path(f"{_N}/{_VERSION}/archive", environments.EnvironmentArchive.as_view(), name="environment-archive"),
    path(f"{_N}/{_VERSION}/restore", environments.EnvironmentRestore.as_view(), name="environment-restore"),
    path(f"{_N}/{_VERSION}/build", environments.EnvironmentBuildDoor.as_view(), name="environment-build"),
    path(f"{_N}/{_VERSION}/build-log", environments.EnvironmentBuildLog.as_view(), name="environment-build-log"),
    path("uploads", uploads.Uploads.as_view(), name="uploads"),
    path("uploads/<uuid:upload_id>", uploads.UploadDoor.as_view(), name="upload"),
    path("uploads/<uuid:upload_id>/files", uploads.UploadFiles.as_view(), name="upload-files"),
    path("uploads/<uuid:upload_id>/complete", uploads.UploadCompletion.as_view(), name="upload-complete"),
    path("online-endpoints", endpoints.Endpoints.as_view(), name="endpoints"),
    path(_E, endpoints.EndpointDoor.as_view(), name="endpoint"),
    path(f"{_E}/keys", endpoints.EndpointKeysDoor.as_view(), name="endpoint-keys"),
    path(f"{_E}/regenerate-keys", endpoints.EndpointRegenerateKeys.as_view(), name="endpoint-regenerate-keys"),
    path(f"{_E}/token", endpoints.EndpointToken.as_view(), name="endpoint-token"),
    path(f"{_E}/traffic", endpoints.EndpointTraffic.as_view(), name="endpoint-traffic"),
    path(f"{_E}/invoke", endpoints.EndpointInvoke.as_view(), name="endpoint-invoke"),
    path(f"{_E}/metrics", metrics.EndpointMetrics.as_view(), name="endpoint-metrics"),
    path(f"{_E}/rollouts", rollouts.Rollouts.as_view(), name="rollouts"),
    path(_R, rollouts.RolloutDoor.as_view(), name="rollout"),
    path(f"{_R}/pause", rollouts.RolloutPause.as_view(), name="rollout-pause"),
    path(f"{_R}/resume", rollouts.RolloutResume.as_view(), name="rollout-resume"),
    path(f"{_R}/promote", rollouts.RolloutPromote.as_view(), name="rollout-promote"),
    path(f"{_R}/abort", rollouts.RolloutAbort.as_view(), name="rollout-abort"),
    path(f"{_E}/comparison", comparisons.ComparisonDoor.as_view(), name="comparison"),
    path(f"{_E}/comparison/examples", comparisons.ComparisonExamples.as_view(), name="comparison-examples"),
    path(
        f"{_E}/comparison/examples/<int:example_id>",
        comparisons.ComparisonExampleDoor.as_view(),
        name="comparison-example",
    ),
    path(f"{_E}/comparison/reset", comparisons.ComparisonReset.as_view(), name="comparison-reset"),
    path(f"{_E}/comparison/promote", comparisons.ComparisonPromotion.as_view(), name="comparison-promote"),
    path(f"{_E}/deployments", deployments.Deployments.as_view(), name="deployments"),
    path(_D, deployments.DeploymentDoor.as_view(), name="deployment"),
    path(f"{_D}/logs", deployments.DeploymentLogs.as_view(), name="deployment-logs"),
    path(f"{_D}/retry", deployments.DeploymentRetry.as_view(), name="deployment-retry"),
    path(f"{_D}/start", loans.DeploymentStart.as_view(), name="deployment-start"),
    path(f"{_D}/loan", loans.DeploymentLoan.as_view(), name="deployment-loan"),
    path(f"{_D}/revisions", revisions.Revisions.as_view(), name="deployment-revisions"),
    path(f"{_D}/revisions/<int:number>", revisions.RevisionDoor.as_view(), name="deployment-revision"),
    path(f"{_D}/rollback", revisions.DeploymentRollBack.as_view(), name="deployment-rollback"),
    path(f"{_D}/scaling", scaling.DeploymentScaling.as_view(), name="deployment-scaling"),
    path(f"{_D}/scaling/decisions", scaling.ScalingDecisions.as_view(), name="deployment-scaling-decisions"),
    path(f"{_D}/wake", scaling.DeploymentWake.as_view(), name="deployment-wake"),
    path(f"{_D}/sleep", scaling.DeploymentSleep.as_view(), name="deployment-sleep"),
    path("scaling-policies", scaling.ScalingPolicies.as_view(), name="scaling-policies"),
    path("plan", planning.Plan.as_view(), name="plan"),
    path("operations", operations.Operations.as_view(), name="operations"),
    path("operations/<uuid:operation_id>", operations.OperationDoor.as_view(), name="operation"),
    path("operations/<uuid:operation_id>/cancel", operations.OperationCancel.as_view(), name="operation-cancel"),
    path("instance-types", compute.InstanceTypes.as_view(), name="instance-types"),
    path("instance-types/<str:name>", compute.InstanceTypeDoor.as_view(), name="instance-type"),
    path("quota-requests", governance.QuotaRequests.as_view(), name="quota-requests"),
    path("quota-requests/<int:request_id>/approve", governance.QuotaRequestApproval.as_view(), name="quota-approve"),
    path("quota-requests/<int:request_id>/decline", governance.QuotaRequestRefusal.as_view(), name="quota-decline"),
    path("loans", loans.Loans.as_view(), name="loans"),
    path("audit", governance.Audit.as_view(), name="audit"),
    path("quota", compute.Quota.as_view(), name="quota"),
    path("quota/<str:family>", compute.FamilyLimit.as_view(), name="quota-family"),
    path("settings", studio_settings.Settings.as_view(), name="settings"),
    path("settings/history", studio_settings.SettingChanges.as_view(), name="settings-history"),
    path("settings/<str:name>", studio_settings.SettingDoor.as_view(), name="setting"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    re_path("", Unknown.as_view(), name="unknown"),
]
