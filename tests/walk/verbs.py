"""Every verb and every read that takes a person, with the actions it asks for and a call of it.

A name is `module.function` below `endpoints.services`, `endpoints.selectors` or `studio.access`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from endpoints import selectors, services
from endpoints.control.autoscale import Cause, Verdict
from endpoints.models import EnvironmentVersion, OnlineDeployment, Rollout
from endpoints.selectors import comparisons, hiding, rollouts
from endpoints.services import cancellation, planning, quota_requests
from endpoints.services.comparisons import reset_comparison
from endpoints.services.promotion import promote_shadow
from endpoints.spec.documents import EnvironmentDocument, ModelDocument, OnlineDeploymentDocument
from studio.access import actions as may
from studio.access import assignments, audit, custom_roles, people, tokens
from studio.access.models import User
from tests.walk.bodies import deployment_document
from tests.walk.rules import TYPES
from tests.walk.world import ANYWHERE, DEPLOYMENT, ENDPOINT, ROLLOUT, Need, World


@dataclass(frozen=True)
class Verb:
    """needs: the actions that must be held. call: of it, by a walker. is_filter: who lacks them gets nothing."""

    needs: tuple[Need, ...]
    call: Callable[[World, User], Any]
    is_filter: bool = False


def _place() -> dict[str, Any]:
    return {"endpoint": ENDPOINT, "name": DEPLOYMENT}


def _deployment() -> OnlineDeployment:
    return OnlineDeployment.objects.select_related("endpoint").get(name=DEPLOYMENT)


def _environment() -> EnvironmentVersion:
    return EnvironmentVersion.objects.select_related("environment").get(environment__name="sklearn")


_SPLIT = {"blue": 100}
_TYPE = {"family": "Own", "cores": 8, "memory_gib": 32.0}

SERVICES: Mapping[str, Verb] = {
    "cancellation.cancel_operation": Verb(
        (may.ENDPOINTS_READ, may.DEPLOYMENTS_WRITE),
        lambda w, u: cancellation.cancel_operation(u, operation_id=w.word(u, "", "operation_id")),
    ),
    "credentials.get_credentials": Verb((may.LIST_KEYS,), lambda w, u: services.get_credentials(u, name=ENDPOINT)),
    "credentials.get_token": Verb((may.TOKEN,), lambda w, u: services.get_token(u, name=ENDPOINT)),
    "credentials.regenerate_key": Verb((may.REGENERATE_KEYS,), lambda w, u: services.regenerate_key(u, name=ENDPOINT)),
    "deployments.create_deployment": Verb(
        (may.DEPLOYMENTS_WRITE, may.MODELS_READ, may.ENVIRONMENTS_READ),
        lambda w, u: services.create_deployment(u, document=deployment_document(name="walked")),
    ),
    "deployments.update_deployment": Verb(
        (may.DEPLOYMENTS_WRITE,),
        lambda w, u: services.update_deployment(u, **_place(), document={"description": "walked"}),
    ),
    "deployments.scale_deployment": Verb(
        (may.DEPLOYMENTS_WRITE,), lambda w, u: services.scale_deployment(u, **_place(), instance_count=1)
    ),
    "deployments.retry_deployment": Verb(
        (may.DEPLOYMENTS_WRITE,), lambda w, u: services.retry_deployment(u, endpoint=ENDPOINT, name="broken")
    ),
    "deployments.roll_back_deployment": Verb(
        (may.DEPLOYMENTS_WRITE,), lambda w, u: services.roll_back_deployment(u, **_place(), revision=1)
    ),
    "deployments.delete_deployment": Verb(
        (may.DEPLOYMENTS_DELETE,), lambda w, u: services.delete_deployment(u, endpoint=ENDPOINT, name="broken")
    ),
    "endpoints.create_endpoint": Verb(
        ((may.ENDPOINTS_WRITE, "walked"),), lambda w, u: services.create_endpoint(u, document={"name": "walked"})
    ),
    "endpoints.update_endpoint": Verb(
        (may.ENDPOINTS_WRITE,), lambda w, u: services.update_endpoint(u, name=ENDPOINT, changes={"description": "x"})
    ),
    "endpoints.set_traffic": Verb(
        (may.ENDPOINTS_WRITE,), lambda w, u: services.set_traffic(u, name=ENDPOINT, traffic=_SPLIT)
    ),
    "endpoints.delete_endpoint": Verb((may.ENDPOINTS_DELETE,), lambda w, u: services.delete_endpoint(u, name=ENDPOINT)),
    "environments.register_environment": Verb(
        (may.ENVIRONMENTS_WRITE,), lambda w, u: services.register_environment(u, name="walked", requirements="joblib\n")
    ),
    "environments.register_environment_document": Verb(
        (may.ENVIRONMENTS_WRITE,),
        lambda w, u: services.register_environment_document(
            u, document=EnvironmentDocument.read({"name": "walked", "requirements_file": "joblib\n"})
        ),
    ),
    "environments.archive_environment": Verb(
        (may.ENVIRONMENTS_READ, may.ENVIRONMENTS_WRITE), lambda w, u: services.archive_environment(u, name="sklearn")
    ),
    "environments.restore_environment": Verb(
        (may.ENVIRONMENTS_READ, may.ENVIRONMENTS_WRITE), lambda w, u: services.restore_environment(u, name="sklearn")
    ),
    "environments.update_environment": Verb(
        (may.ENVIRONMENTS_READ, may.ENVIRONMENTS_WRITE),
        lambda w, u: services.update_environment(u, name="sklearn", version="1", description="walked"),
    ),
    "environments.request_build": Verb(
        (may.ENVIRONMENTS_READ, may.ENVIRONMENTS_WRITE), lambda w, u: services.request_build(u, name="sklearn")
    ),
    "instance_types.add_instance_type": Verb(
        (may.QUOTA_WRITE,), lambda w, u: services.add_instance_type(u, name="Own_8", values=_TYPE)
    ),
    "instance_types.change_instance_type": Verb(
        (may.QUOTA_WRITE,), lambda w, u: services.change_instance_type(u, name="Standard_DS3_v2", values={})
    ),
    "invoke.invoke": Verb((may.SCORE,), lambda w, u: services.invoke(u, endpoint=ENDPOINT, body=b"{}")),
    "scaling.set_scaling": Verb(
        (may.DEPLOYMENTS_WRITE,), lambda w, u: services.set_scaling(u, **_place(), policy={"maximum": 2})
    ),
    "scaling.change_scaling": Verb(
        (may.DEPLOYMENTS_WRITE,), lambda w, u: services.change_scaling(u, **_place(), changes={"maximum": 2})
    ),
    "scaling.remove_scaling": Verb((may.DEPLOYMENTS_WRITE,), lambda w, u: services.remove_scaling(u, **_place())),
    "scaling.apply_verdict": Verb(
        (may.DEPLOYMENTS_WRITE,),
        lambda w, u: services.apply_verdict(u, **_place(), count=1, verdict=Verdict(2, Cause.RULE, "Walked.")),
    ),
    "scaling.wake_deployment": Verb((may.DEPLOYMENTS_WRITE,), lambda w, u: services.wake_deployment(u, **_place())),
    "scaling.put_to_sleep": Verb((may.DEPLOYMENTS_WRITE,), lambda w, u: services.put_to_sleep(u, **_place())),
    "loans.start_deployment": Verb((may.DEPLOYMENTS_WRITE,), lambda w, u: services.start_deployment(u, **_place())),
    "loans.extend_loan": Verb(
        (may.DEPLOYMENTS_READ, may.QUOTA_WRITE), lambda w, u: services.extend_loan(u, **_place(), hours=1)
    ),
    "loans.repay_loan": Verb((may.DEPLOYMENTS_WRITE,), lambda w, u: services.repay_loan(u, **_place())),
    "planning.plan_changes": Verb(
        (may.ENDPOINTS_WRITE,),
        lambda w, u: planning.plan_changes(u, documents=[{"name": ENDPOINT, "description": "walked"}]),
    ),
    "planning.plan_deployment_change": Verb(
        (may.DEPLOYMENTS_WRITE,),
        lambda w, u: planning.plan_deployment_change(
            u, **_place(), document=OnlineDeploymentDocument.read(deployment_document(description="walked"))
        ),
    ),
    "planning.plan_endpoint_change": Verb(
        (may.ENDPOINTS_WRITE,), lambda w, u: planning.plan_endpoint_change(u, name=ENDPOINT, changes={"tags": {}})
    ),
    "quota.set_family_limit": Verb(
        (may.QUOTA_WRITE,), lambda w, u: services.set_family_limit(u, family="DSv2", limit_cores=1)
    ),
    "quota.set_family_limits": Verb(
        (may.QUOTA_WRITE,), lambda w, u: services.set_family_limits(u, limits={"DSv2": 1}, pools={"DSv2": 1})
    ),
    "quota_requests.request_quota": Verb(
        (may.QUOTA_READ,), lambda w, u: services.request_quota(u, family="DSv2", limit_cores=400)
    ),
    "quota_requests.approve_quota_request": Verb(
        (may.QUOTA_WRITE,),
        lambda w, u: quota_requests.approve_quota_request(u, request_id=w.word(u, "quota", "request_id")),
    ),
    "quota_requests.decline_quota_request": Verb(
        (may.QUOTA_WRITE,),
        lambda w, u: quota_requests.decline_quota_request(u, request_id=w.word(u, "quota", "request_id"), note="No."),
    ),
    "comparisons.reset_comparison": Verb((may.ENDPOINTS_WRITE,), lambda w, u: reset_comparison(u, name=ENDPOINT)),
    "promotion.promote_shadow": Verb((may.ENDPOINTS_WRITE,), lambda w, u: promote_shadow(u, name=ENDPOINT)),
    "registry.register_model": Verb(
        (may.MODELS_WRITE,), lambda w, u: services.register_model(u, name="walked", upload=w.word(u, "", "upload_id"))
    ),
    "registry.register_model_document": Verb(
        (may.MODELS_WRITE,),
        lambda w, u: services.register_model_document(
            u, document=ModelDocument.read({"name": "walked", "path": f"tree:{'0' * 64}"})
        ),
    ),
    "registry.archive_model": Verb(
        (may.MODELS_READ, may.MODELS_WRITE), lambda w, u: services.archive_model(u, name="diabetes")
    ),
    "registry.restore_model": Verb(
        (may.MODELS_READ, may.MODELS_WRITE), lambda w, u: services.restore_model(u, name="diabetes")
    ),
    "registry.update_model": Verb(
        (may.MODELS_READ, may.MODELS_WRITE), lambda w, u: services.update_model(u, name="diabetes", version="1")
    ),
    "registry.open_model_archive": Verb(
        (may.MODELS_READ,), lambda w, u: services.open_model_archive(u, name="diabetes")
    ),
    "rollouts.start_rollout": Verb((may.ENDPOINTS_WRITE,), lambda w, u: services.start_rollout(u, document=ROLLOUT)),
    "rollouts.pause_rollout": Verb((may.ENDPOINTS_WRITE,), lambda w, u: services.pause_rollout(u, endpoint=ENDPOINT)),
    "rollouts.resume_rollout": Verb((may.ENDPOINTS_WRITE,), lambda w, u: services.resume_rollout(u, endpoint=ENDPOINT)),
    "rollouts.promote_rollout": Verb(
        (may.ENDPOINTS_WRITE,), lambda w, u: services.promote_rollout(u, endpoint=ENDPOINT)
    ),
    "rollouts.abort_rollout": Verb((may.ENDPOINTS_WRITE,), lambda w, u: services.abort_rollout(u, endpoint=ENDPOINT)),
    "studio_settings.set_studio_settings": Verb(
        (may.QUOTA_WRITE, may.WORKSPACE_WRITE),
        lambda w, u: services.set_studio_settings(u, values={"endpoints": 90, "log_days": 9}),
    ),
    "uploads.begin_upload": Verb(
        ((may.MODELS_WRITE, ""),),
        lambda w, u: services.begin_upload(u, purpose="model", root_name="m", is_folder=False),
    ),
    "uploads.upload_from_files": Verb(
        ((may.MODELS_WRITE, ""),),
        lambda w, u: services.upload_from_files(u, files=[("a", io.BytesIO(b"a"))], purpose="model"),
    ),
    # An upload is its maker's alone; to begin one is what is guarded.
    "uploads.get_upload": Verb((), lambda w, u: services.get_upload(u, upload_id=w.word(u, "", "upload_id"))),
    "uploads.received_files": Verb((), lambda w, u: services.received_files(u, upload_id=w.word(u, "", "upload_id"))),
    "uploads.append_part": Verb(
        (),
        lambda w, u: services.append_part(
            u, upload_id=w.word(u, "", "upload_id"), path="m", offset=0, stream=io.BytesIO(b"a")
        ),
    ),
    "uploads.complete_upload": Verb((), lambda w, u: services.complete_upload(u, upload_id=w.word(u, "", "upload_id"))),
    "uploads.abort_upload": Verb((), lambda w, u: services.abort_upload(u, upload_id=w.word(u, "", "upload_id"))),
}

SELECTORS: Mapping[str, Verb] = {
    "compute.instance_types": Verb((TYPES,), lambda w, u: selectors.instance_types(u)),
    "comparisons.comparison_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: comparisons.comparison_of(u, ENDPOINT)),
    "comparisons.compared_readings": Verb(
        (may.DEPLOYMENTS_READ,), lambda w, u: comparisons.compared_readings(u, ENDPOINT)
    ),
    "comparisons.comparison_examples": Verb(
        (may.LIST_COMPARED_ANSWERS,), lambda w, u: comparisons.comparison_examples(u, ENDPOINT)
    ),
    "comparisons.comparison_example": Verb(
        (may.LIST_COMPARED_ANSWERS,), lambda w, u: comparisons.comparison_example(u, ENDPOINT, 1)
    ),
    "compute.quota_usage": Verb((may.QUOTA_READ,), lambda w, u: selectors.quota_usage(u)),
    "compute.what_if": Verb(
        (may.QUOTA_READ,), lambda w, u: selectors.what_if(u, instance_type="Standard_DS3_v2", instance_count=1)
    ),
    "compute.quota_requests": Verb((may.QUOTA_READ,), lambda w, u: selectors.quota_requests(u)),
    "compute.get_quota_request": Verb(
        (may.QUOTA_WRITE,), lambda w, u: selectors.get_quota_request(u, w.word(u, "quota", "request_id"))
    ),
    "compute.quota_history": Verb((may.QUOTA_READ,), lambda w, u: selectors.quota_history(u)),
    "compute.limits_usage": Verb((may.QUOTA_READ,), lambda w, u: selectors.limits_usage(u)),
    "environments.environments_for": Verb((may.ENVIRONMENTS_READ,), lambda w, u: selectors.environments_for(u)),
    "environments.environment_versions": Verb(
        (may.ENVIRONMENTS_READ,), lambda w, u: selectors.environment_versions(u, "sklearn")
    ),
    "environments.get_environment_version": Verb(
        (may.ENVIRONMENTS_READ,), lambda w, u: selectors.get_environment_version(u, "sklearn")
    ),
    "environments.build_of": Verb((may.ENVIRONMENTS_READ,), lambda w, u: selectors.build_of(u, _environment())),
    "loans.loans_for": Verb((may.QUOTA_READ,), lambda w, u: selectors.loans_for(u)),
    "logs.log_sources": Verb((may.LOGS_READ,), lambda w, u: selectors.log_sources(u, _deployment())),
    "logs.dropped_logs": Verb((may.LOGS_READ,), lambda w, u: selectors.dropped_logs(u, _deployment())),
    "logs.build_log_sources": Verb(
        (may.ENVIRONMENTS_READ,), lambda w, u: selectors.build_log_sources(u, _environment())
    ),
    "logs.deployment_logs": Verb((may.LOGS_READ,), lambda w, u: list(selectors.deployment_logs(u, _deployment()))),
    "logs.build_log": Verb((may.ENVIRONMENTS_READ,), lambda w, u: list(selectors.build_log(u, _environment()))),
    "metrics.readings": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.readings(u, ENDPOINT)),
    "online.endpoints_for": Verb(((may.ENDPOINTS_READ, ANYWHERE),), lambda w, u: selectors.endpoints_for(u)),
    "online.readable_endpoints": Verb(((may.ENDPOINTS_READ, ANYWHERE),), lambda w, u: selectors.readable_endpoints(u)),
    "online.authorised_endpoint": Verb(
        (may.SCORE,), lambda w, u: selectors.authorised_endpoint(u, ENDPOINT, may.SCORE)
    ),
    "online.get_endpoint": Verb((may.ENDPOINTS_READ,), lambda w, u: selectors.get_endpoint(u, ENDPOINT)),
    "online.deployments_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.deployments_of(u, ENDPOINT)),
    "online.authorised_deployment": Verb(
        (may.DEPLOYMENTS_DELETE,),
        lambda w, u: selectors.authorised_deployment(u, ENDPOINT, DEPLOYMENT, may.DEPLOYMENTS_DELETE),
    ),
    "online.get_deployment": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.get_deployment(u, **_place())),
    "online.revisions_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.revisions_of(u, _deployment())),
    "online.current_revision": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.current_revision(u, _deployment())),
    "online.instances_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.instances_of(u, _deployment())),
    "online.recent_failures": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.recent_failures(u, _deployment())),
    "online.deployments_using": Verb(
        ((may.DEPLOYMENTS_READ, ANYWHERE),),
        lambda w, u: selectors.deployments_using(u, model_name="diabetes"),
        is_filter=True,
    ),
    "operations.operations_for": Verb(
        ((may.ENDPOINTS_READ, ANYWHERE),), lambda w, u: selectors.operations_for(u), is_filter=True
    ),
    "operations.get_operation": Verb(
        (may.ENDPOINTS_READ,), lambda w, u: selectors.get_operation(u, w.word(u, "", "operation_id"))
    ),
    "registry.models_for": Verb((may.MODELS_READ,), lambda w, u: selectors.models_for(u)),
    "registry.model_versions": Verb((may.MODELS_READ,), lambda w, u: selectors.model_versions(u, "diabetes")),
    "registry.get_model_version": Verb((may.MODELS_READ,), lambda w, u: selectors.get_model_version(u, "diabetes")),
    "hiding.hide_values": Verb((), lambda w, u: hiding.hide_values(u, ENDPOINT, [])),
    "hiding.shown_differences": Verb((), lambda w, u: hiding.shown_differences(u, ENDPOINT, {}, {})),
    "online.shown_revision": Verb((), lambda w, u: selectors.shown_revision(u, _deployment())),
    "revisions.revision_changes": Verb(
        (may.DEPLOYMENTS_READ,), lambda w, u: selectors.revision_changes(u, _deployment(), before=1, after=1)
    ),
    "scaling.scaling_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.scaling_of(u, **_place())),
    "scaling.policies_for": Verb(((may.DEPLOYMENTS_READ, ANYWHERE),), lambda w, u: selectors.policies_for(u)),
    "scaling.decisions_of": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.decisions_of(u, _deployment())),
    "scaling.cold_starts": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.cold_starts(u, _deployment())),
    "revisions.revision_history": Verb(
        (may.DEPLOYMENTS_READ,), lambda w, u: selectors.revision_history(u, _deployment())
    ),
    "revisions.get_revision": Verb((may.DEPLOYMENTS_READ,), lambda w, u: selectors.get_revision(u, _deployment(), 1)),
    "rollouts.rollouts_for": Verb((may.ENDPOINTS_READ,), lambda w, u: selectors.rollouts_for(u, ENDPOINT)),
    "rollouts.get_rollout": Verb((may.ENDPOINTS_READ,), lambda w, u: selectors.get_rollout(u, ENDPOINT)),
    "rollouts.evidence_for": Verb((), lambda w, u: rollouts.evidence_for(u, Rollout.objects.latest("pk"))),
    "rollouts.side_by_side": Verb(
        (may.DEPLOYMENTS_READ,),
        lambda w, u: rollouts.side_by_side(u, ENDPOINT, (DEPLOYMENT, "green"), since=None),
    ),
    "studio_settings.studio_settings": Verb((may.QUOTA_READ,), lambda w, u: selectors.studio_settings(u)),
    "studio_settings.setting_changes": Verb((may.QUOTA_READ,), lambda w, u: selectors.setting_changes(u)),
}

ACCESS: Mapping[str, Verb] = {
    "assignments.assignments_for": Verb((may.ROLES_READ,), lambda w, u: assignments.assignments_for(u)),
    "assignments.groups_for": Verb((may.ROLES_READ,), lambda w, u: assignments.groups_for(u)),
    "assignments.assign_role": Verb(
        (may.ROLES_WRITE,), lambda w, u: assignments.assign_role(u, role="Reader", to=w.owner)
    ),
    "assignments.unassign_role": Verb(
        (may.ROLES_WRITE,), lambda w, u: assignments.unassign_role(u, assignment_id=w.word(u, "", "assignment_id"))
    ),
    "assignments.save_group": Verb(
        (may.ROLES_WRITE,), lambda w, u: assignments.save_group(u, name="walked", people=[w.owner])
    ),
    "assignments.delete_group": Verb(
        (may.ROLES_WRITE,), lambda w, u: assignments.delete_group(u, group_id=w.word(u, "", "group_id"))
    ),
    "assignments.explain": Verb(
        (may.ROLES_READ,), lambda w, u: assignments.explain(u, person=w.owner, action=may.QUOTA_READ)
    ),
    "audit.records_for": Verb((may.AUDIT_READ,), lambda w, u: audit.records_for(u)),
    "custom_roles.save_role": Verb(
        (may.ROLES_WRITE,), lambda w, u: custom_roles.save_role(u, text='{"Name": "Walked", "Actions": ["*/read"]}')
    ),
    "custom_roles.delete_role": Verb(
        (may.ROLES_WRITE,), lambda w, u: custom_roles.delete_role(u, role_id=w.word(u, "", "role_id"))
    ),
    "people.people_for": Verb((may.ROLES_READ,), lambda w, u: people.people_for(u)),
    "people.get_person": Verb((may.ROLES_READ,), lambda w, u: people.get_person(u, "mara")),
    "people.invite": Verb((may.ROLES_WRITE,), lambda w, u: people.invite(u, username="walked")),
    "people.renew_invitation": Verb((may.ROLES_WRITE,), lambda w, u: people.renew_invitation(u, username="mara")),
    "people.deactivate": Verb((may.ROLES_WRITE,), lambda w, u: people.deactivate(u, username="mara")),
    "people.reactivate": Verb((may.ROLES_WRITE,), lambda w, u: people.reactivate(u, username="mara")),
    # One's own.
    "tokens.create_token": Verb((), lambda w, u: tokens.create_token(u, name="walked")),
    "tokens.tokens_of": Verb((), lambda w, u: tokens.tokens_of(u)),
    "tokens.revoke_token": Verb((), lambda w, u: tokens.revoke_token(u, token_key=w.word(u, "", "token_key"))),
}
VERBS: Mapping[str, Verb] = {**SERVICES, **SELECTORS, **ACCESS}
