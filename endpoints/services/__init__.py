"""The verbs: the only writers of what a user wants. Each checks permission, validates, and is one transaction.

Every verb takes the person first and raises errors of `endpoints.spec.errors`.
"""

from endpoints.services.backends import backend_trouble
from endpoints.services.comparisons import reset_comparison
from endpoints.services.credentials import (
    Credentials,
    Keys,
    Token,
    get_credentials,
    get_token,
    regenerate_key,
    retire_signing_key,
)
from endpoints.services.deployments import (
    create_deployment,
    delete_deployment,
    retry_deployment,
    roll_back_deployment,
    scale_deployment,
    update_deployment,
)
from endpoints.services.endpoints import create_endpoint, delete_endpoint, set_traffic, update_endpoint
from endpoints.services.environments import (
    archive_environment,
    register_environment,
    register_environment_document,
    request_build,
    restore_environment,
    update_environment,
)
from endpoints.services.instance_types import add_instance_type, change_instance_type
from endpoints.services.invoke import InvokeResult, invoke
from endpoints.services.loans import extend_loan, repay_loan, start_deployment
from endpoints.services.promotion import Promotion, promote_shadow, promotion_of
from endpoints.services.quota import set_family_limit, set_family_limits
from endpoints.services.quota_requests import approve_quota_request, decline_quota_request, request_quota
from endpoints.services.registry import (
    Download,
    archive_model,
    open_model_archive,
    register_model,
    register_model_document,
    restore_model,
    update_model,
)
from endpoints.services.rollouts import (
    abort_rollout,
    pause_rollout,
    promote_rollout,
    resume_rollout,
    start_rollout,
)
from endpoints.services.scaling import (
    apply_verdict,
    change_scaling,
    put_to_sleep,
    remove_scaling,
    set_scaling,
    wake_deployment,
)
from endpoints.services.studio_settings import action_to_change, set_studio_settings
from endpoints.services.templates import document_of
from endpoints.services.uploads import (
    abort_upload,
    append_part,
    begin_upload,
    complete_upload,
    get_upload,
    received_files,
    upload_from_files,
)

__all__ = [
    "Credentials",
    "Download",
    "InvokeResult",
    "Keys",
    "Promotion",
    "Token",
    "abort_rollout",
    "abort_upload",
    "action_to_change",
    "add_instance_type",
    "append_part",
    "apply_verdict",
    "approve_quota_request",
    "archive_environment",
    "archive_model",
    "backend_trouble",
    "begin_upload",
    "change_instance_type",
    "change_scaling",
    "complete_upload",
    "create_deployment",
    "create_endpoint",
    "decline_quota_request",
    "delete_deployment",
    "delete_endpoint",
    "document_of",
    "extend_loan",
    "get_credentials",
    "get_token",
    "get_upload",
    "invoke",
    "open_model_archive",
    "pause_rollout",
    "promote_rollout",
    "promote_shadow",
    "promotion_of",
    "put_to_sleep",
    "received_files",
    "regenerate_key",
    "register_environment",
    "register_environment_document",
    "register_model",
    "register_model_document",
    "remove_scaling",
    "repay_loan",
    "request_build",
    "request_quota",
    "reset_comparison",
    "restore_environment",
    "restore_model",
    "resume_rollout",
    "retire_signing_key",
    "retry_deployment",
    "roll_back_deployment",
    "scale_deployment",
    "set_family_limit",
    "set_family_limits",
    "set_scaling",
    "set_studio_settings",
    "set_traffic",
    "start_deployment",
    "start_rollout",
    "update_deployment",
    "update_endpoint",
    "update_environment",
    "update_model",
    "upload_from_files",
    "wake_deployment",
]
