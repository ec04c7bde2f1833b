"""A scaling rule in the words of `az monitor autoscale`: a condition and what to do then. Pure text to values.

`CpuUtilizationPercentage > 70 avg 5m` and `out 2` (contract B12). Percentiles may stand for the statistic: `p99`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from endpoints.spec import durations

Scope = Literal["deployment", "endpoint"]
Direction = Literal["out", "in", "to"]

CPU, MEMORY = "CpuUtilizationPercentage", "CpuMemoryUtilizationPercentage"
REQUESTS, LATENCY = "RequestsPerMinute", "RequestLatency"
CONCURRENCY = "ConcurrencyUtilizationPercentage"
METRICS = (CPU, MEMORY, REQUESTS, LATENCY, CONCURRENCY)
# What instances carry together, so that fewer of them carry more each.
_SHARED = frozenset({CPU, MEMORY, LATENCY, CONCURRENCY})
_ALIASES = {"memoryutilizationpercentage": MEMORY, "memoryutilization": MEMORY, "cpuutilization": CPU}
PERCENTILES = ("p50", "p90", "p95", "p99")
STATISTICS = ("avg", "min", "max", "sum", "last", *PERCENTILES)
_STATISTIC_WORDS = {"average": "avg", "minimum": "min", "maximum": "max", "total": "sum"}
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 10, 6 * 3600

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_CONDITION = re.compile(
    r"""\s*(?:["']?[\w./]+["']?\s+)??(?P<metric>[A-Za-z_][\w]*)\s*(?P<operator>>=|<=|==|!=|>|<)\s*"""
    r"""(?P<threshold>-?\d+(?:\.\d+)?)\s*%?\s+(?P<statistic>[A-Za-z]+\d*)\s+(?P<window>\S+)(?P<rest>.*)""",
    re.DOTALL,
)
_SCALE = re.compile(r"\s*(?P<way>out|in|to)\s+(?P<amount>\d{1,6})\s*(?P<percent>%?)\s*", re.IGNORECASE)
_EXAMPLE = 'write it like "CpuUtilizationPercentage > 70 avg 5m"'


class Question(NamedTuple):
    """One number that has to be known: a metric of the deployment or its endpoint, over the last `window_s`."""

    metric: str
    scope: Scope
    statistic: str
    window_s: int


class BadRule(Exception):
    """A condition or an action cannot be read; the message says what is wrong and what to write."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A metric compared with a threshold. Percents, requests a minute, milliseconds: the metric's own unit."""

    question: Question
    operator: str
    threshold: float

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.operator](value, self.threshold)

    def after(self, value: float, count: int, wanted: int) -> float:
        """What `value` would become if `wanted` instances carried what `count` carry now."""
        return value * count / wanted if self.question.metric in _SHARED and wanted else value

    def __str__(self) -> str:
        metric, scope, statistic, window_s = self.question
        where = " of the endpoint" if scope == "endpoint" else ""
        return f"{metric}{where} {self.operator} {self.threshold:g} {statistic} {durations.text_of(window_s)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """When the condition holds, `way` by `amount` (of percent: of the count), then wait `cooldown_s`."""

    condition: Condition
    way: Direction
    amount: int
    is_percent: bool = False
    cooldown_s: int = 300

    def wanted(self, count: int) -> int:
        """How many instances there should be instead of `count`; a percentage is at least one instance."""
        if self.way == "to":
            return self.amount
        step = self.amount
        if self.is_percent:
            part = count * self.amount / 100
            step = max(1, math.ceil(part) if self.way == "out" else math.floor(part))
        return count + step if self.way == "out" else max(0, count - step)

    @property
    def action(self) -> str:
        return f"{self.way} {self.amount}{'%' if self.is_percent else ''}"


def read_condition(text: str, *, scope: Scope = "deployment") -> Condition:
    """`RequestLatency > 70 p99 5m`. Raises BadRule."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise BadRule(f"Cannot read the condition {text[:80]!r}; {_EXAMPLE}.")
    if match["rest"].strip():
        raise BadRule(f"{match['rest'].strip()[:60]!r}: dimensions are not looked at; leave that part out.")
    metric, percentile = _metric(match["metric"])
    statistic = percentile or _statistic(match["statistic"], metric)
    window_s = durations.seconds_of(match["window"])
    if window_s is None or not SHORTEST_WINDOW_S <= window_s <= LONGEST_WINDOW_S:
        raise BadRule(f"{match['window'][:20]!r} is no window from 10s to 6h; {_EXAMPLE}.")
    return Condition(Question(metric, scope, statistic, window_s), match["operator"], float(match["threshold"]))


def _metric(name: str) -> tuple[str, str]:
    """The metric, and the statistic its name asks for (`RequestLatency_P99`) or ""."""
    base, _, suffix = name.lower().partition("_")
    known = {metric.lower(): metric for metric in METRICS} | _ALIASES
    if base not in known:
        raise BadRule(f"There is no metric {name[:60]!r} to scale by; there are {', '.join(METRICS)}.")
    if suffix and (known[base] != LATENCY or suffix not in PERCENTILES):
        raise BadRule(f"There is no metric {name[:60]!r}; of latency there are _P50, _P90, _P95 and _P99.")
    return known[base], suffix


def _statistic(word: str, metric: str) -> str:
    statistic = _STATISTIC_WORDS.get(word.lower(), word.lower())
    if statistic not in STATISTICS:
        raise BadRule(f"{word[:20]!r} is no statistic; there are {', '.join(STATISTICS)}.")
    if statistic in PERCENTILES and metric != LATENCY:
        raise BadRule(f"Only {LATENCY} has percentiles; use avg, min, max, sum or last with {metric}.")
    return statistic


def read_action(text: str) -> tuple[Direction, int, bool]:
    """`out 2`, `in 50%` or `to 4` as way, amount and whether it is a percentage. Raises BadRule."""
    match = _SCALE.fullmatch(text)
    if match is None or (match["way"].lower() != "to" and not int(match["amount"])):
        raise BadRule(f"Cannot read {text[:40]!r}; write out 2, in 1, out 50% or to 4.")
    way: Direction = match["way"].lower()  # type: ignore[assignment]  # the pattern knows these three only
    if way == "to" and match["percent"]:
        raise BadRule("'to' takes a number of instances, not a percentage.")
    return way, int(match["amount"]), bool(match["percent"])


def condition_problem(text: str) -> str | None:
    """What is wrong with a condition."""
    try:
        read_condition(text)
    except BadRule as bad:
        return str(bad)
    return None


def action_problem(text: str) -> str | None:
    """What is wrong with an action."""
    try:
        read_action(text)
    except BadRule as bad:
        return str(bad)
    return None
