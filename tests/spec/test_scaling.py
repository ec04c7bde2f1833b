"""Scaling policies as documents: what is read, what is refused, what a week looks like."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from endpoints.spec import durations
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.errors import Invalid
from endpoints.spec.scaling_document import ScalingDocument
from endpoints.spec.scaling_policy import policy_of, stored_policy
from endpoints.spec.scaling_rules import BadRule, read_action, read_condition
from endpoints.spec.time_zones import iana_name, time_zone_problem

DEPLOYMENT = {
    "name": "blue",
    "endpoint_name": "risk",
    "environment": "azureml:e:1",
    "instance_type": "Standard_DS3_v2",
}


def errors(**values: object) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        ScalingDocument.read(values)
    return {detail.field: detail.message for detail in refused.value.details}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("PT5M", 300), ("20", 20), ("", None), ("x", None)]
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, seconds: int | None) -> None:
    assert durations.seconds_of(text) == seconds


def test_a_length_of_time_reads_back() -> None:
    assert [durations.text_of(each) for each in (0, 90, 5400)] == ["0s", "1m30s", "1h30m"]
    assert all(durations.seconds_of(durations.text_of(each)) == each for each in range(1, 9000, 7))


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("CpuUtilizationPercentage > 70 avg 5m", ("CpuUtilizationPercentage", "deployment", "avg", 300)),
        ("cpuutilizationpercentage < 25 Average PT5M", ("CpuUtilizationPercentage", "deployment", "avg", 300)),
        ("RequestLatency >= 70.5 p99 1m", ("RequestLatency", "deployment", "p99", 60)),
        ("RequestLatency_P95 > 70 avg 1m", ("RequestLatency", "deployment", "p95", 60)),
        ("RequestsPerMinute>600 total 10m", ("RequestsPerMinute", "deployment", "sum", 600)),
    ],
)
def test_a_condition_is_read_as_azures_command_line_writes_it(text: str, question: tuple[object, ...]) -> None:
    assert read_condition(text).question == question


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("CpuUtilizationPercentage", "Cannot read"),
        ("Cpus > 70 avg 5m", "no metric 'Cpus'"),
        ("CpuUtilizationPercentage > 70 p99 5m", "Only RequestLatency has percentiles"),
        ("CpuUtilizationPercentage > 70 mode 5m", "no statistic"),
        ("CpuUtilizationPercentage > 70 avg 9h", "no window"),
        ("CpuUtilizationPercentage > 70 avg 5m where a == b", "dimensions"),
        ("RequestLatency_P42 > 70 avg 5m", "_P50, _P90, _P95 and _P99"),
    ],
)
def test_a_condition_that_cannot_be_read_says_what_is_wrong(text: str, word: str) -> None:
    with pytest.raises(BadRule, match=word):
        read_condition(text)


def test_an_action_is_a_step_a_percentage_or_a_count() -> None:
    assert [read_action(text) for text in ("out 2", "in 50%", "to 4")] == [
        ("out", 2, False),
        ("in", 50, True),
        ("to", 4, False),
    ]
    for text in ("out", "up 2", "out 0", "to 50%"):
        with pytest.raises(BadRule):
            read_action(text)


def test_time_zones_are_known_by_iana_and_by_windows_names() -> None:
    assert iana_name("Pacific Standard Time") == "America/Los_Angeles"
    assert iana_name("europe/berlin") == "Europe/Berlin"
    assert "Did you mean Europe/Berlin?" in (time_zone_problem("Europe/Berln") or "")


def test_what_is_wrong_with_a_policy_is_told_at_its_field() -> None:
    assert "at most 1000" in errors(maximum=1001)["maximum"]
    assert "at most the maximum" in errors(minimum=3, maximum=2)["minimum"]
    assert "1 to 2" in errors(maximum=2, default=5)["default"]
    assert "minimum is 0" in errors(minimum=1, maximum=2, idle_timeout="5m")["idle_timeout"]
    assert "like 10m" in errors(minimum=0, maximum=2)["idle_timeout"]
    assert "no metric" in errors(rules=[{"condition": "Cpus > 1 avg 5m", "scale": "out 1"}])["rules[0].condition"]
    assert "stands twice" in errors(schedules=[{"name": "a"}, {"name": "A"}])["schedules"]


def test_a_policy_reads_back_as_it_was_written() -> None:
    document = ScalingDocument.read(
        {
            "min": 0,
            "max": 5,
            "idle_timeout": "10m",
            "rules": [{"condition": "RequestLatency > 70 p99 5m", "scale": "out 2", "cool_down": 60}],
            "schedules": [{"name": "night", "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin", "maximum": 2}],
        }
    )
    assert ScalingDocument.read(document.to_json()) == document
    [rule] = policy_of(document).rules
    assert (rule.cooldown_s, rule.way, rule.amount) == (60, "out", 2)


def test_a_policy_that_is_off_is_no_policy() -> None:
    assert stored_policy({}) is None
    assert stored_policy({"enabled": False, "maximum": 2}) is None
    assert stored_policy({"maximum": 2}) is not None


@pytest.mark.parametrize(
    ("moment", "is_on"),
    [
        ("2026-11-28T07:59", False),  # Friday 23:59 in Los Angeles
        ("2026-11-28T08:00", True),
        ("2026-11-30T07:59", True),  # Sunday 23:59
        ("2026-11-30T08:00", False),
    ],
)
def test_a_weekend_is_one_where_its_time_zone_says_so(moment: str, is_on: bool) -> None:
    schedule = {"name": "weekend", "days": ["sat", "Sunday"], "time_zone": "Pacific Standard Time", "maximum": 2}
    policy = policy_of(ScalingDocument.read({"maximum": 5, "schedules": [schedule]}))
    bounds, found = policy.active(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert (bounds.maximum, found is not None) == ((2, True) if is_on else (5, False))


def test_a_night_belongs_to_the_day_it_begins_on() -> None:
    night = {"name": "night", "days": ["fri"], "starts": "22:00", "ends": "06:00", "maximum": 1}
    policy = policy_of(ScalingDocument.read({"maximum": 5, "schedules": [night]}))
    hours = {"27T21:59": 5, "27T22:00": 1, "28T05:59": 1, "28T06:00": 5, "28T22:30": 5}
    for moment, maximum in hours.items():
        now = datetime.fromisoformat(f"2026-11-{moment}").replace(tzinfo=UTC)
        assert policy.active(now)[0].maximum == maximum, moment


def test_kubernetes_target_utilization_becomes_a_policy() -> None:
    settings = {"type": "target_utilization", "min_instances": 1, "max_instances": 4, "polling_interval": 1}
    document = OnlineDeploymentDocument.read({**DEPLOYMENT, "scale_settings": settings})
    policy = document.wanted_scaling
    assert policy is not None
    assert (policy.minimum, policy.maximum, policy.target and policy.target.utilization_percentage) == (1, 4, 70)


def test_default_scale_settings_mean_no_policy_and_two_policies_are_one_too_many() -> None:
    plain = OnlineDeploymentDocument.read({**DEPLOYMENT, "scale_settings": {"type": "default"}})
    assert plain.wanted_scaling is None
    with pytest.raises(Invalid, match="scale_settings"):
        OnlineDeploymentDocument.read(
            {**DEPLOYMENT, "scaling": {"maximum": 2}, "scale_settings": {"type": "target_utilization"}}
        )


def test_no_instances_need_a_policy_that_may_sleep() -> None:
    asleep = {"minimum": 0, "maximum": 1, "idle_timeout": "5m"}
    assert OnlineDeploymentDocument.read({**DEPLOYMENT, "instance_count": 0, "scaling": asleep}).instance_count == 0
    with pytest.raises(Invalid, match="Must be at least 1, not 0"):
        OnlineDeploymentDocument.read({**DEPLOYMENT, "instance_count": 0})
