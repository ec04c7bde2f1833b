"""Settings of the studio: kept, bounded, recorded, reset, and read where they count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from endpoints import selectors, services
from endpoints.control.route_fragments import endpoint_routes
from endpoints.models import OF_ALL, RouteFragment, SettingChange
from endpoints.spec.errors import Forbidden, Invalid, LimitExceeded, NotFound, OutOfQuota
from endpoints.spec.studio_settings import SETTINGS
from studio.access.models import AuditRecord, User
from tests.services import world


def test_the_defaults_are_azures_numbers() -> None:
    known = {name: one.default if one.azure is None else one.azure for name, one in SETTINGS.items()}
    azure = {"endpoints": 100, "deployments": 500, "deployments_per_endpoint": 20, "instances_per_deployment": 50}
    azure |= {"request_timeout_ms": 180_000, "requests_per_second": 500, "files_per_model": 1500}
    azure |= {"build_context_files": 100, "build_context_bytes": 1024**2, "mirror_percent": 50, "quota_reservation": 1}
    assert known | azure == known


def test_a_limit_is_changed_recorded_and_kept(owner: User, teammate: User) -> None:
    world.endpoint(teammate)
    services.set_studio_settings(owner, values={"endpoints": 1}, note="small host")
    with pytest.raises(OutOfQuota, match="allows 1 endpoints and has 1"):
        world.endpoint(teammate, "fraud")
    change = SettingChange.objects.get()
    assert (change.before, change.after, change.note, change.changed_by) == (100, 1, "small host", owner)
    record = AuditRecord.objects.get(target="setting endpoints")
    assert (record.before, record.after) == ({"endpoints": 100}, {"endpoints": 1})


def test_a_reset_goes_back_to_what_the_studio_was_started_with(owner: User, settings: Any) -> None:
    settings.SLIPWAY_DEFAULTS = settings.SLIPWAY_DEFAULTS | {"endpoints": 7}
    services.set_studio_settings(owner, values={"endpoints": 1})
    services.set_studio_settings(owner, values={"endpoints": None})
    assert selectors.setting("endpoints") == 7
    assert SettingChange.objects.latest("pk").is_reset


def test_what_does_not_change_is_not_recorded(owner: User) -> None:
    assert services.set_studio_settings(owner, values={"endpoints": 100}) == []
    assert not SettingChange.objects.exists()


def test_nothing_is_set_where_one_value_is_out_of_bounds(owner: User) -> None:
    with pytest.raises(Invalid) as refusal:
        services.set_studio_settings(owner, values={"endpoints": 5, "mirror_percent": 101, "quota_reservation": 2})
    assert [detail.field for detail in refusal.value.details] == ["mirror_percent", "quota_reservation"]
    assert selectors.setting("endpoints") == 100


def test_who_may_change_quota_changes_limits_and_not_how_long_logs_are_kept(
    owner: User, teammate: User, reader: User
) -> None:
    for who, name in ((teammate, "endpoints"), (reader, "log_days")):
        with pytest.raises(Forbidden) as refusal:
            services.set_studio_settings(who, values={name: 3})
        assert refusal.value.action == services.action_to_change(SETTINGS[name])
    assert [state.value for state in selectors.studio_settings(reader)] == [one.default for one in SETTINGS.values()]
    with pytest.raises(NotFound):
        services.set_studio_settings(owner, values={"colour": 3})


def test_without_the_reservation_a_deployment_takes_what_it_runs(owner: User) -> None:
    world.endpoint(owner)
    world.deploy(owner, instance_count=5)
    services.set_studio_settings(owner, values={"quota_reservation": 0})
    family = next(usage for usage in selectors.quota_usage(owner) if usage.family == "DSv2")
    assert (family.used_cores, family.reserved_cores) == (20, 0)


def test_the_usual_rate_reaches_the_gateways_and_an_endpoints_own_goes_before_it(owner: User) -> None:
    world.endpoint(owner)
    services.create_endpoint(owner, document={"name": "own", "gateway_settings": {"requests_per_second": 9}})
    services.set_studio_settings(owner, values={"requests_per_second": 500})
    assert {route.name: route.requests_per_second for route in endpoint_routes(None)} == {"risk": 500, "own": 9}


def test_the_usual_bandwidth_and_the_limits_of_connections_are_routed_at_once(owner: User) -> None:
    world.endpoint(owner)
    wanted = {"bytes_per_second": 5_000_000, "active_connections": 500, "new_connections_per_second": 400}
    services.set_studio_settings(owner, values=wanted)
    bodies = {one.endpoint_name: json.loads(one.body) for one in RouteFragment.objects.all()}
    assert bodies[OF_ALL] == {"active": 500, "new_per_second": 400}
    assert bodies["risk"]["bytes_per_second"] == 5_000_000


def test_a_longer_time_out_than_allowed_is_refused_and_one_that_is_there_stays(owner: User) -> None:
    world.endpoint(owner)
    world.deploy(owner, request_settings={"request_timeout_ms": 9000})
    services.set_studio_settings(owner, values={"request_timeout_ms": 8000})
    services.update_deployment(owner, endpoint="risk", name="blue", document={"description": "kept"})
    with pytest.raises(Invalid, match="At most 8000 ms, not 9001"):
        services.update_deployment(
            owner, endpoint="risk", name="blue", document={"request_settings": {"request_timeout_ms": 9001}}
        )


def test_a_model_of_too_many_files_is_refused(owner: User) -> None:
    services.set_studio_settings(owner, values={"files_per_model": 1})
    two = world.upload(owner, {"m/a": b"a", "m/b": b"b"})
    with pytest.raises(LimitExceeded, match="may have 1 files; this one has 2"):
        services.register_model(owner, name="two", upload=two)
