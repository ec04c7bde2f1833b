"""Addresses of the pages. What makes something new stands below /new/, so that no name can hide it."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from studio.pages import (
    access,
    audit,
    comparisons,
    deployments,
    documents,
    endpoint_access,
    endpoints,
    environments,
    home,
    instance_types,
    invoke,
    loans,
    logs,
    metrics,
    models,
    operations,
    people,
    quota,
    quota_requests,
    revisions,
    rollouts,
    scaling,
    session,
    studio_settings,
    tokens,
)

Patterns = list[URLPattern | URLResolver]

endpoint_urls: Patterns = [
    path("endpoints/", endpoints.endpoint_list, name="list"),
    path("new/endpoint/", endpoints.endpoint_create, name="create"),
    path("endpoints/<str:name>/", endpoints.endpoint_detail, name="detail"),
    path("endpoints/<str:name>/edit/", endpoints.endpoint_edit, name="edit"),
    path("endpoints/<str:name>/edit-yaml/", documents.endpoint_edit_yaml, name="edit-yaml"),
    path("endpoints/<str:name>/delete/", endpoints.endpoint_delete, name="delete"),
    path("endpoints/<str:name>/settings/", endpoints.endpoint_settings, name="settings"),
    path("endpoints/<str:name>/traffic/", endpoints.endpoint_traffic, name="traffic"),
    path("endpoints/<str:name>/rollout/", rollouts.rollout, name="rollout"),
    path("endpoints/<str:name>/rollout/shift/", rollouts.shift, name="rollout-shift"),
    path("endpoints/<str:name>/rollout/start/", rollouts.start, name="rollout-start"),
    path("endpoints/<str:name>/rollout/<int:number>/", rollouts.rollout_one, name="rollout-one"),
    *(
        path(f"endpoints/<str:name>/rollout/<int:number>/{verb}/", rollouts.act, {"verb": verb}, name=f"rollout-{verb}")
        for verb in ("pause", "resume", "promote", "abort")
    ),
    path("endpoints/<str:name>/test/", invoke.test_panel, name="test"),
    path("endpoints/<str:name>/test/log/<uuid:request_id>/", invoke.test_log, name="test-log"),
    path("endpoints/<str:name>/logs/", logs.endpoint_logs, name="logs"),
    path("endpoints/<str:name>/metrics/", metrics.endpoint_metrics, name="metrics"),
    path("endpoints/<str:name>/metrics/figures", metrics.figures, name="figures"),
    path("endpoints/<str:name>/metrics/now", metrics.kpis, name="kpis"),
    path("endpoints/<str:name>/metrics/<str:chart>.csv", metrics.as_csv, name="metrics-csv"),
    path("endpoints/<str:name>/compare/", comparisons.compare, name="compare"),
    path("endpoints/<str:name>/compare/figures", comparisons.compare_figures, name="compare-figures"),
    path("endpoints/<str:name>/compare/settings/", comparisons.compare_settings, name="compare-settings"),
    path("endpoints/<str:name>/compare/off/", comparisons.compare_off, name="compare-off"),
    path("endpoints/<str:name>/compare/reset/", comparisons.compare_reset, name="compare-reset"),
    path("endpoints/<str:name>/compare/promote/", comparisons.compare_promote, name="compare-promote"),
    path(
        "endpoints/<str:name>/compare/examples/<int:example_id>/", comparisons.compare_example, name="compare-example"
    ),
    path("endpoints/<str:name>/consume/", endpoint_access.consume, name="consume"),
    path("endpoints/<str:name>/keys/", endpoint_access.show_keys, name="keys"),
    path("endpoints/<str:name>/keys/<str:key_type>/", endpoint_access.regenerate_key, name="regenerate-key"),
    path("endpoints/<str:name>/activity/", operations.endpoint_activity, name="activity"),
]

_deployment = "endpoints/<str:endpoint>/deployments/<str:name>/"
deployment_urls: Patterns = [
    path(_deployment, deployments.deployment_detail, name="detail"),
    path(f"{_deployment}yaml/", deployments.deployment_yaml, name="yaml"),
    path(f"{_deployment}edit-yaml/", documents.deployment_edit_yaml, name="edit-yaml"),
    path(f"{_deployment}scale/", deployments.deployment_scale, name="scale"),
    path(f"{_deployment}settings/", deployments.deployment_settings, name="settings"),
    path(f"{_deployment}retry/", deployments.deployment_retry, name="retry"),
    path(f"{_deployment}start/", loans.start, name="start"),
    path(f"{_deployment}loan/extend/", loans.extend, name="extend"),
    path(f"{_deployment}loan/repay/", loans.repay, name="repay"),
    path(f"{_deployment}delete/", deployments.deployment_delete, name="delete"),
    path(f"{_deployment}revisions/", revisions.revision_list, name="revisions"),
    path(f"{_deployment}revisions/<int:number>/roll-back/", revisions.revision_roll_back, name="roll-back"),
    path(f"{_deployment}scaling/", scaling.scaling, name="scaling"),
    path(f"{_deployment}scaling/limits/", scaling.limits, name="scaling-limits"),
    path(f"{_deployment}scaling/rule/", scaling.rule_add, name="scaling-rule"),
    path(f"{_deployment}scaling/schedule/", scaling.schedule_add, name="scaling-schedule"),
    path(f"{_deployment}scaling/switch/", scaling.switch, name="scaling-switch"),
    path(f"{_deployment}scaling/remove/", scaling.remove, name="scaling-remove"),
    path(f"{_deployment}scaling/rules/<int:index>/remove/", scaling.rule_remove, name="scaling-rule-remove"),
    path(
        f"{_deployment}scaling/schedules/<int:index>/remove/", scaling.schedule_remove, name="scaling-schedule-remove"
    ),
    path(f"{_deployment}wake/", scaling.wake, name="wake"),
    path(f"{_deployment}sleep/", scaling.sleep, name="sleep"),
    path(f"{_deployment}metrics/", metrics.deployment_metrics, name="metrics"),
    path(f"{_deployment}logs/", logs.deployment_logs, name="logs"),
    path(f"{_deployment}logs/stream", logs.deployment_stream, name="log-stream"),
    path(f"{_deployment}logs/text", logs.deployment_text, name="log-text"),
]

model_urls: Patterns = [
    path("models/", models.model_list, name="list"),
    path("new/model/", models.model_register, name="register"),
    path("models/<str:name>/", models.model_detail, name="detail"),
    path("models/<str:name>/<str:version>/", models.model_detail, name="version"),
    path("models/<str:name>/<str:version>/edit/", models.model_edit, name="edit"),
    path("models/<str:name>/<str:version>/archive/", models.model_archive, name="archive"),
    path("models/<str:name>/<str:version>/restore/", models.model_restore, name="restore"),
    path("models/<str:name>/<str:version>/download/", models.model_download, name="download"),
]

environment_urls: Patterns = [
    path("environments/", environments.environment_list, name="list"),
    path("new/environment/", environments.environment_register, name="register"),
    path("environments/<str:name>/", environments.environment_detail, name="detail"),
    path("environments/<str:name>/<str:version>/", environments.environment_detail, name="version"),
    path("environments/<str:name>/<str:version>/edit/", environments.environment_edit, name="edit"),
    path("environments/<str:name>/<str:version>/build/", environments.environment_build, name="build"),
    path("environments/<str:name>/<str:version>/archive/", environments.environment_archive, name="archive"),
    path("environments/<str:name>/<str:version>/restore/", environments.environment_restore, name="restore"),
    path("environments/<str:name>/<str:version>/build-log/stream", logs.build_stream, name="build-log-stream"),
    path("environments/<str:name>/<str:version>/build-log/text", logs.build_text, name="build-log-text"),
]

quota_urls: Patterns = [
    path("quota/csv", quota.quota_csv, name="csv"),
    path("quota/what-if/", quota.what_if, name="what-if"),
    path("quota/history/", quota.quota_history, name="history"),
    path("new/quota-request/", quota_requests.request_quota, name="request"),
    path("quota/requests/<int:request_id>/approve/", quota_requests.approve, name="approve"),
    path("quota/requests/<int:request_id>/decline/", quota_requests.decline, name="decline"),
    path("instance-types/", instance_types.type_list, name="types"),
    path("new/instance-type/", instance_types.type_add, name="type-add"),
    path("instance-types/<str:name>/edit/", instance_types.type_edit, name="type-edit"),
]

settings_urls: Patterns = [
    path("settings/history/", studio_settings.history, name="history"),
    path("settings/<str:name>/reset/", studio_settings.reset, name="reset"),
]

access_urls: Patterns = [
    path("access/", access.overview, name="overview"),
    path("access/why/", access.why, name="why"),
    path("new/person/", people.person_invite, name="invite"),
    path("access/people/<str:username>/deactivate/", people.person_deactivate, name="deactivate"),
    path("access/people/<str:username>/activate/", people.person_activate, name="activate"),
    path("access/people/<str:username>/invite/", people.person_invite_again, name="invite-again"),
    path("invitation/<str:secret>/", people.invitation, name="invitation"),
    path("new/group/", access.group_save, name="group-create"),
    path("access/groups/<int:group_id>/edit/", access.group_save, name="group-edit"),
    path("access/groups/<int:group_id>/delete/", access.group_delete, name="group-delete"),
    path("new/assignment/", access.role_assign, name="assign"),
    path("access/assignments/<int:assignment_id>/remove/", access.role_unassign, name="unassign"),
    path("new/role/", access.role_save, name="role-create"),
    path("access/roles/<int:role_id>/edit/", access.role_save, name="role-edit"),
    path("access/roles/<int:role_id>/delete/", access.role_delete, name="role-delete"),
]

operation_urls: Patterns = [
    path("activity/", operations.operation_list, name="list"),
    path("activity/audit/", audit.audit_log, name="audit"),
    path("activity/audit/csv", audit.audit_csv, name="audit-csv"),
    path("activity/<uuid:operation_id>/", operations.operation_detail, name="detail"),
    path("activity/<uuid:operation_id>/cancel/", operations.operation_cancel, name="cancel"),
]

token_urls: Patterns = [
    path("tokens/", tokens.token_list, name="list"),
    path("new/token/", tokens.token_create, name="create"),
    path("tokens/<str:token_key>/revoke/", tokens.token_revoke, name="revoke"),
]

urlpatterns: Patterns = [
    path("", home.home, name="home"),
    path("search/", home.search, name="search"),
    path("sign-in/", session.sign_in, name="sign-in"),
    path("sign-out/", session.sign_out, name="sign-out"),
    path("theme/", session.theme, name="theme"),
    path("quota/", quota.quota, name="quota"),
    path("settings/", studio_settings.settings_page, name="settings"),
    path("", include((endpoint_urls, "endpoints"))),
    path("", include((deployment_urls, "deployments"))),
    path("", include((model_urls, "models"))),
    path("", include((environment_urls, "environments"))),
    path("", include((quota_urls, "quota"))),
    path("", include((settings_urls, "settings"))),
    path("", include((access_urls, "access"))),
    path("", include((operation_urls, "operations"))),
    path("", include((token_urls, "tokens"))),
    path("deploy/", include("studio.wizards.urls")),
]
