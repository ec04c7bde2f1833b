"""Names of states, as Azure spells them (contract B20), and the words for a deployment's failure (B7)."""

from __future__ import annotations

from enum import StrEnum


class ProvisioningState(StrEnum):
    """Of endpoints and deployments. Derived from one comparison of record and observation, never stored."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SCALING = "Scaling"
    DELETING = "Deleting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class OperationState(StrEnum):
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class StepState(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class RolloutState(StrEnum):
    """Of a guarded rollout."""

    RUNNING = "Running"
    PAUSED = "Paused"  # no promotion; the gates stay on guard
    SUCCEEDED = "Succeeded"
    ROLLED_BACK = "RolledBack"  # the split that stood before stands again
    ENDED = "Ended"  # somebody else took over the split; it stays as they set it


class InstanceState(StrEnum):
    """Of one instance, as observed."""

    STARTING = "Starting"  # the process exists; init() has not finished
    READY = "Ready"  # readiness probe passes; in the route table
    UNREADY = "Unready"  # runs, but the readiness probe fails; out of the route table
    DRAINING = "Draining"  # out of the route table, finishing what is in flight
    STOPPED = "Stopped"  # ended because it was asked to
    FAILED = "Failed"  # ended by itself, or was ended because liveness failed


class FailureCode(StrEnum):
    """Why a deployment failed (contract B7)."""

    IMAGE_BUILD_FAILURE = "ImageBuildFailure"
    OUT_OF_QUOTA = "OutOfQuota"
    BAD_ARGUMENT = "BadArgument"
    RESOURCE_NOT_READY = "ResourceNotReady"
    RESOURCE_NOT_FOUND = "ResourceNotFound"
    OPERATION_CANCELED = "OperationCanceled"
    SECRETS_INJECTION_ERROR = "SecretsInjectionError"
    INTERNAL_SERVER_ERROR = "InternalServerError"
    USER_SCRIPT_INIT_FAILED = "UserScriptInitFailed"
    USER_SCRIPT_IMPORT_ERROR = "UserScriptImportError"
    USER_SCRIPT_FUNCTION_NOT_FOUND = "UserScriptFunctionNotFound"
    CRASH_LOOP_BACK_OFF = "DeploymentCrashLoopBackOff"
    OUT_OF_MEMORY = "PodOutOfMemory"
