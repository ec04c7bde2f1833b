"""One endpoint's routes from its rows. Seven queries, whether for one endpoint or for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db.models import F, Q

from endpoints.control.wanted import RunSettings, settings_of
from endpoints.models import (
    DeploymentRevision,
    EndpointKeys,
    Instance,
    OnlineDeployment,
    OnlineEndpoint,
    TokenSigningKey,
)
from endpoints.selectors.studio_settings import setting
from endpoints.spec import tokens
from endpoints.spec.comparison import settings_from
from endpoints.spec.routes import (
    MAX_PAYLOAD_BYTES,
    Comparison,
    ConnectionLimits,
    DeploymentRoute,
    EndpointRoute,
    HoldRules,
    InstanceRoute,
    Mirror,
    StickyKey,
    TokenRules,
)
from endpoints.spec.scaling_policy import stored_policy
from endpoints.spec.states import InstanceState


class UsualRates(NamedTuple):
    """Of endpoints that have none of their own; 0: no limit."""

    requests_per_second: int
    bytes_per_second: int


def endpoint_routes(names: Collection[str] | None) -> Iterator[EndpointRoute]:
    """Routes of the named endpoints (None: of all). Those that are being deleted have none."""
    deployments = _deployment_routes(names)
    digests = _key_digests(names)
    usual = UsualRates(setting("requests_per_second"), setting("bytes_per_second"))
    public_keys = dict(TokenSigningKey.objects.order_by("pk").values_list("pk", "public_pem"))
    for endpoint in OnlineEndpoint.objects.filter(_named("name", names), deletion_requested_at=None).order_by("name"):
        known = deployments.get(endpoint.pk, {}), digests.get(endpoint.pk, ())
        route = _endpoint_route(endpoint, *known, usual=usual)
        yield msgspec.structs.replace(route, token=_token_rules(endpoint, public_keys))


def connection_limits() -> ConnectionLimits:
    """What holds for the connections of all endpoints together."""
    return ConnectionLimits(active=setting("active_connections"), new_per_second=setting("new_connections_per_second"))


def _named(field: str, names: Collection[str] | None) -> Q:
    return Q() if names is None else Q(**{f"{field}__in": names})


def _endpoint_route(
    endpoint: OnlineEndpoint,
    deployments: dict[str, DeploymentRoute],
    key_digests: tuple[str, ...],
    *,
    usual: UsualRates,
) -> EndpointRoute:
    gateway: Mapping[str, Any] = endpoint.gateway_settings
    return EndpointRoute(
        name=endpoint.name,
        auth_mode=endpoint.auth_mode,  # type: ignore[arg-type]  # services accept these three only
        key_digests=key_digests,
        traffic=_traffic(endpoint, deployments),
        mirror=_mirror(endpoint.mirror_traffic, endpoint.comparison),
        sticky=_sticky(gateway.get("traffic_key") or {}),
        deployments=deployments,
        cors_origins=tuple(gateway.get("cors_origins") or ()),
        max_payload_bytes=gateway.get("max_payload_bytes") or MAX_PAYLOAD_BYTES,
        requests_per_second=gateway.get("requests_per_second") or usual.requests_per_second,
        bytes_per_second=gateway.get("bytes_per_second") or usual.bytes_per_second,
    )


def _traffic(endpoint: OnlineEndpoint, deployments: Mapping[str, DeploymentRoute]) -> dict[str, int]:
    """The split without those that are stopped: the others share what was theirs, in proportion.

    Where nobody else has a share theirs stays, so that callers are told which deployment is stopped, and why.
    """
    wanted = {name: percent for name, percent in endpoint.traffic.items() if percent}
    stopped = {name for name, route in deployments.items() if route.stopped}
    return {name: percent for name, percent in wanted.items() if name not in stopped} or wanted


def _sticky(traffic_key: Mapping[str, str]) -> StickyKey | None:
    if header := traffic_key.get("header"):
        return StickyKey(kind="header", name=header)
    if field := traffic_key.get("json"):
        return StickyKey(kind="json", name=field)
    return None


def _token_rules(endpoint: OnlineEndpoint, public_keys: dict[str, str]) -> TokenRules | None:
    """How bearers are checked; None where keys are used, or where no identity provider is configured."""
    match endpoint.auth_mode:
        case "aml_token":
            return TokenRules(issuer=tokens.ISSUER, audience=tokens.audience(endpoint.name), public_keys=public_keys)
        case "aad_token" if settings.SLIPWAY_OIDC_ISSUER:
            return TokenRules(
                issuer=settings.SLIPWAY_OIDC_ISSUER,
                audience=settings.SLIPWAY_OIDC_AUDIENCE,
                jwks_uri=settings.SLIPWAY_OIDC_JWKS_URI,
                required_role=settings.SLIPWAY_OIDC_ROLE,
            )
        case _:
            return None


def _mirror(mirror_traffic: Mapping[str, int], comparison: Mapping[str, Any] | None) -> Mirror | None:
    for name, percent in mirror_traffic.items():
        if percent:
            return Mirror(deployment=name, percent=percent, comparison=_comparison(comparison))
    return None


def _comparison(stored: Mapping[str, Any] | None) -> Comparison | None:
    if stored is None:
        return None
    chosen = settings_from(stored)
    return Comparison(
        sample_percent=chosen.sample_percent,
        max_per_second=chosen.max_per_second,
        keeps_requests=chosen.keep_requests and chosen.examples > 0,
    )


def _key_digests(names: Collection[str] | None) -> dict[int, tuple[str, ...]]:
    rows = EndpointKeys.objects.filter(_named("endpoint__name", names), endpoint__auth_mode="key")
    digests = rows.values_list("endpoint_id", "primary_digest", "secondary_digest")
    return {endpoint: (primary, secondary) for endpoint, primary, secondary in digests}


def _deployment_routes(names: Collection[str] | None) -> dict[int, dict[str, DeploymentRoute]]:
    """By endpoint id and deployment name."""
    rows = OnlineDeployment.objects.filter(_named("endpoint__name", names), deletion_requested_at=None)
    instances = _ready_instances(names)
    run_settings = _run_settings(names)
    routes: dict[int, dict[str, DeploymentRoute]] = defaultdict(dict)
    for deployment in rows.order_by("name"):
        if deployment.pk in run_settings:
            route = _deployment_route(deployment, run_settings[deployment.pk], tuple(instances[deployment.pk]))
            routes[deployment.endpoint_id][deployment.name] = route
    return routes


def _served_revision(deployment: OnlineDeployment) -> int:
    """Whose limits hold: those of the revision that was last rolled out whole, while a newer one is on its way."""
    return deployment.observed_revision or deployment.revision


def _deployment_route(
    deployment: OnlineDeployment, run: RunSettings, instances: tuple[InstanceRoute, ...]
) -> DeploymentRoute:
    requests = run.requests
    policy = stored_policy(deployment.scaling)
    may_sleep = not deployment.stopped_at and (deployment.is_asleep or (policy is not None and policy.may_sleep))
    return DeploymentRoute(
        name=deployment.name,
        instances=instances,
        max_concurrent_requests_per_instance=requests.max_concurrent_requests_per_instance,
        request_timeout_ms=requests.request_timeout_ms,
        max_queue_wait_ms=requests.max_queue_wait_ms,
        is_retry_allowed=deployment.gateway_settings.get("retry", True),
        scoring_path=run.paths.scoring,
        revision=_served_revision(deployment),
        stopped=deployment.stop_reason if deployment.stopped_at else "",
        hold=(policy.hold if policy else HoldRules()) if may_sleep else None,
        trouble=_trouble(deployment) if may_sleep and not instances else "",
    )


def _trouble(deployment: OnlineDeployment) -> str:
    """Why requests would wait in vain for an instance."""
    if deployment.is_asleep:
        return deployment.wake_trouble
    failure: Mapping[str, str] = deployment.failure or {}
    return failure.get("message", "") if deployment.observed_generation >= deployment.generation else ""


def _ready_instances(names: Collection[str] | None) -> dict[int, list[InstanceRoute]]:
    """By deployment id."""
    rows = Instance.objects.filter(
        _named("deployment__endpoint__name", names), state=InstanceState.READY, ended_at=None, draining_at=None
    )
    instances: dict[int, list[InstanceRoute]] = defaultdict(list)
    for name, deployment, host, port in rows.order_by("pk").values_list("pk", "deployment_id", "host", "port"):
        instances[deployment].append(InstanceRoute(id=name, host=host, port=port))
    return instances


def _run_settings(names: Collection[str] | None) -> dict[int, RunSettings]:
    """By deployment id: the settings of the revision that is served."""
    is_served = Q(number=F("deployment__observed_revision")) | Q(
        deployment__observed_revision=0, number=F("deployment__revision")
    )
    rows = DeploymentRevision.objects.filter(_named("deployment__endpoint__name", names), is_served)
    return {row.deployment_id: settings_of(row) for row in rows.select_related("environment_version")}
