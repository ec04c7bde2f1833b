"""What an admin may set for the whole studio: names, defaults and bounds. Where values are kept is not known here.

The defaults of limits are Azure's numbers (contract B1). `SLIPWAY_…` in the environment gives another first default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from endpoints.spec.gateway_settings import MOST_BYTES_PER_SECOND


class Group(StrEnum):
    """Of settings that belong together, and that the same action allows to change."""

    LIMITS = "Limits"
    QUOTA = "Quota"
    POOL = "Shared pool"
    LOGS = "Logs"
    AUDIT = "Audit log"


@dataclass(frozen=True, slots=True)
class Setting:
    """One number, or a yes/no as 1 and 0.

    variable: the environment variable of the first default. what: a limit's noun, as a refusal says it ("endpoints").
    zero: what 0 means, "" where it is a number like others. azure: Azure's number where the default is another.
    """

    name: str
    group: Group
    title: str
    default: int
    variable: str
    minimum: int = 0
    maximum: int = 1_000_000
    unit: str = ""
    what: str = ""
    zero: str = ""
    help: str = ""
    is_flag: bool = False
    azure: int | None = None

    def problem(self, value: int) -> str:
        """What is wrong with `value`, "" where nothing is."""
        if self.is_flag and value not in (0, 1):
            return "Say true or false."
        if not self.minimum <= value <= self.maximum:
            unit = f" {self.unit}" if self.unit else ""
            return f"{self.minimum:,} to {self.maximum:,}{unit}, not {value:,}."
        return ""


def _limit(name: str, title: str, default: int, **more: object) -> Setting:
    variable = f"SLIPWAY_LIMIT_{name.upper()}"
    return Setting(name, Group.LIMITS, title, default, variable, **more)  # type: ignore[arg-type]  # passed through


_ALL = (
    _limit("endpoints", "Endpoints", 100, what="endpoints"),
    _limit("deployments", "Deployments in all", 500, what="deployments"),
    _limit("deployments_per_endpoint", "Deployments of one endpoint", 20, what="deployments per endpoint"),
    _limit(
        "instances_per_deployment",
        "Instances of one deployment",
        50,
        minimum=1,
        maximum=1000,
        what="instances per deployment",
    ),
    _limit("request_timeout_ms", "Longest time-out of a request", 180_000, minimum=1000, maximum=3_600_000, unit="ms"),
    _limit(
        "requests_per_second",
        "Requests a second to one endpoint",
        0,
        unit="a second",
        zero="no limit",
        azure=500,
        help="An endpoint's own gateway_settings.requests_per_second goes before it.",
    ),
    _limit(
        "bytes_per_second",
        "Bytes a second through one endpoint",
        0,
        maximum=MOST_BYTES_PER_SECOND,
        unit="bytes a second",
        zero="no limit",
        azure=5_000_000,
        help="More is delayed, not refused. An endpoint's own gateway_settings.bytes_per_second goes before it.",
    ),
    _limit(
        "active_connections",
        "Connections open at a gateway",
        0,
        zero="no limit",
        azure=500,
        help="Of all endpoints together. A connection beyond it is answered with 429 and closed.",
    ),
    _limit(
        "new_connections_per_second",
        "New connections a second at a gateway",
        0,
        unit="a second",
        zero="no limit",
        azure=500,
        help="Of all endpoints together. A connection beyond it is answered with 429 and closed.",
    ),
    _limit("mirror_percent", "Percent of live requests mirrored", 50, maximum=100, unit="%"),
    _limit(
        "files_per_model",
        "Files of a model's version",
        1500,
        minimum=1,
        help="A model of more files can be registered as an archive that its script unpacks.",
    ),
    _limit("build_context_files", "Files of a build context", 100, minimum=1),
    _limit("build_context_bytes", "Bytes of a build context", 1024**2, minimum=1024, maximum=1024**4, unit="bytes"),
    Setting(
        "quota_reservation",
        Group.QUOTA,
        "Keep 20 % of a deployment's instances free for upgrades",
        1,
        "SLIPWAY_QUOTA_RESERVATION",
        maximum=1,
        is_flag=True,
        help="Off, a deployment takes just what it runs, and a roll waits for room.",
    ),
    Setting(
        "pool_longest_loan_h",
        Group.POOL,
        "Longest loan",
        24,
        "SLIPWAY_POOL_LONGEST_LOAN_H",
        minimum=1,
        maximum=24 * 90,
        unit="hours",
        help="How long a deployment may stand on cores of the shared pool before it is stopped.",
    ),
    Setting(
        "pool_warning_min",
        Group.POOL,
        "Warn before a loan ends",
        60,
        "SLIPWAY_POOL_WARNING_MIN",
        maximum=24 * 60,
        unit="minutes",
    ),
    Setting(
        "log_days",
        Group.LOGS,
        "Keep logs of instances that are gone for",
        7,
        "SLIPWAY_LOG_DAYS",
        minimum=1,
        maximum=3650,
        unit="days",
    ),
    Setting(
        "log_mib_per_deployment",
        Group.LOGS,
        "Logs of one deployment",
        1024,
        "SLIPWAY_LOG_MIB_PER_DEPLOYMENT",
        maximum=1024**2,
        unit="MiB",
        zero="no limit",
        help="Beyond it the oldest logs of instances that are gone are deleted first.",
    ),
    Setting(
        "log_mib_total",
        Group.LOGS,
        "Logs of all deployments",
        10 * 1024,
        "SLIPWAY_LOG_MIB_TOTAL",
        maximum=1024**3,
        unit="MiB",
        zero="no limit",
    ),
    Setting(
        "audit_days",
        Group.AUDIT,
        "Keep the audit log for",
        0,
        "SLIPWAY_AUDIT_DAYS",
        maximum=36500,
        unit="days",
        zero="for good",
        help="Older entries are deleted for ever; export them first.",
    ),
)
SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _ALL}
