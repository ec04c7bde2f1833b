"""What `-o table` shows of each noun: the columns a person looks for, in the order they look for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def endpoints_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda endpoint: {
            "Name": endpoint.get("name"),
            "State": endpoint.get("provisioning_state"),
            "AuthMode": endpoint.get("auth_mode"),
            "Traffic": _split(endpoint.get("traffic")),
            "ScoringUri": endpoint.get("scoring_uri"),
        },
    )


def deployments_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda deployment: {
            "Name": deployment.get("name"),
            "Endpoint": deployment.get("endpoint_name"),
            "State": deployment.get("provisioning_state"),
            "Model": _asset(deployment.get("model")),
            "InstanceType": deployment.get("instance_type"),
            "Instances": deployment.get("instance_count"),
        },
    )


def revisions_table(result: Rows) -> list[Row]:
    """The history, or the fields in which one revision differs from another."""
    if isinstance(result, Mapping):
        return _rows(
            result.get("changes") or (),
            lambda change: {
                "Field": change.get("field"),
                f"Revision {result.get('against')}": text_of(change.get("before")),
                f"Revision {result.get('revision')}": text_of(change.get("after")),
            },
        )
    return _rows(
        result,
        lambda entry: {
            "Revision": entry.get("revision"),
            "Wanted": "yes" if entry.get("is_wanted") else "",
            "Instances": entry.get("instances"),
            "By": entry.get("created_by"),
            "At": entry.get("created_at"),
            "Changed": ", ".join(change["field"] for change in entry.get("changes") or ()),
        },
    )


def text_of(value: Any) -> str:
    """A field's value in a word; what is not there is a dash."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def plan_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda planned: {
            "Endpoint": planned.get("endpoint"),
            "Deployment": planned.get("deployment"),
            "Action": planned.get("action"),
            "Changes": ", ".join(change["field"] for change in planned.get("changes") or ()),
            "Restarts": len(planned.get("replaced") or ()),
            "Quota": planned.get("quota"),
        },
    )


def loans_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda loan: {
            "Endpoint": loan.get("endpoint"),
            "Deployment": loan.get("deployment"),
            "Cores": loan.get("cores"),
            "Family": loan.get("family"),
            "EndsAt": loan.get("ends_at"),
        },
    )


def metrics_table(result: Mapping[str, Any]) -> list[Row]:
    """A row for every line, with the newest value there is."""
    return [
        {
            "Metric": metric["name"],
            "Of": " ".join(f"{name}={value}" for name, value in line["dimensions"].items()),
            "Last": next((f"{value:.4g}" for value in reversed(line["values"]) if value is not None), ""),
            "Unit": metric["unit"],
        }
        for metric in result["metrics"]
        for line in metric["series"]
    ]


def definitions_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda metric: {"Name": metric.get("name"), "Unit": metric.get("unit"), "What": metric.get("description")},
    )


def settings_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda setting: {
            "Name": setting.get("name"),
            "Value": setting.get("value"),
            "Unit": setting.get("unit"),
            "Default": setting.get("default"),
            "What": setting.get("title"),
        },
    )


def rollouts_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda rollout: {
            "Rollout": rollout.get("number"),
            "From": rollout.get("from_deployment"),
            "To": rollout.get("to_deployment"),
            "State": rollout.get("state"),
            "Stage": f"{rollout.get('stage', 0) + 1} of {len(rollout.get('stages') or ())}",
            "By": rollout.get("created_by"),
            "At": rollout.get("created_at"),
            "Text": rollout.get("text"),
        },
    )


def policies_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda scaling: {
            "Name": scaling.get("name"),
            "Deployment": f"{scaling.get('endpoint_name')}/{scaling.get('deployment_name')}",
            "Enabled": "yes" if (scaling.get("policy") or {}).get("enabled") else "no",
            "State": scaling.get("state"),
            "Instances": scaling.get("instance_count"),
            "Minimum": scaling.get("minimum"),
            "Maximum": scaling.get("maximum"),
            "Schedule": scaling.get("schedule"),
        },
    )


def decisions_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda decision: {
            "At": decision.get("last_at"),
            "Cause": decision.get("cause"),
            "Before": decision.get("before"),
            "Wanted": decision.get("wanted"),
            "Given": decision.get("given"),
            "Reason": decision.get("reason"),
        },
    )


def comparison_table(result: Rows) -> list[Row]:
    """How many pairs ended how, with their share of those that were compared."""
    found = result if isinstance(result, Mapping) else {}
    rows = [{"Pairs": kind, "Count": count} for kind, count in (found.get("kinds") or {}).items() if count]
    rate = found.get("agreement_percent")
    return [*rows, {"Pairs": "Agreement", "Count": "-" if rate is None else f"{rate:.2f} %"}]


def examples_table(result: Rows) -> list[Row]:
    """The worst pairs, or the places at which the two answers of one differ."""
    if isinstance(result, Mapping):
        return _rows(
            result.get("differences") or (),
            lambda one: {"Path": one.get("path"), "Live": text_of(one["live"]), "Shadow": text_of(one["shadow"])},
        )
    return _rows(
        result,
        lambda one: {
            "Id": one.get("id"),
            "Kind": one.get("kind"),
            "Reason": one.get("reason"),
            "Live": one.get("live_status"),
            "Shadow": one.get("shadow_status"),
            "Differences": one.get("difference_count"),
            "Request": one.get("request_id"),
            "At": one.get("at"),
        },
    )


def assets_table(result: Rows) -> list[Row]:
    return _rows(
        result,
        lambda asset: {
            "Name": asset.get("name"),
            "Version": asset.get("version") or asset.get("latest_version"),
            "Type": asset.get("type") or asset.get("image"),
            "Description": asset.get("description"),
        },
    )


def _rows(result: Rows, row: Callable[[Mapping[str, Any]], Row]) -> list[Row]:
    """One row an item, without columns that are empty everywhere."""
    rows = [row(item) for item in ([result] if isinstance(result, Mapping) else result)]
    used = [column for column in (rows[0] if rows else ()) if any(each[column] not in (None, "") for each in rows)]
    return [{column: each[column] if each[column] is not None else "" for column in used} for each in rows]


def _split(traffic: Any) -> str:
    return " ".join(f"{name}={percent}" for name, percent in (traffic or {}).items())


def _asset(reference: Any) -> Any:
    return reference.get("name", "inline") if isinstance(reference, Mapping) else reference
