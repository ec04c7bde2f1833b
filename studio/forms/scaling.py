"""Forms about how a deployment is scaled. They gather what was typed; documents judge it."""

from __future__ import annotations

from typing import Any

from django import forms

from endpoints.spec.scaling_document import DAYS, MOST_INSTANCES
from endpoints.spec.scaling_rules import METRICS, PERCENTILES, STATISTICS, BadRule, read_condition
from studio.forms.fields import SlimForm

_METRIC_WORDS = {
    "CpuUtilizationPercentage": "CPU, %",
    "CpuMemoryUtilizationPercentage": "Memory, %",
    "RequestsPerMinute": "Requests a minute",
    "RequestLatency": "Latency, ms",
    "ConcurrencyUtilizationPercentage": "Concurrency in use, %",
}
_STATISTIC_WORDS = {"avg": "average", "min": "least", "max": "most", "sum": "sum", "last": "last"}
_DAY_WORDS = dict(
    zip(DAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True)
)


class LimitsForm(SlimForm):
    """A policy's own bounds, and whether it sleeps."""

    minimum = forms.IntegerField(
        label="Minimum", min_value=0, max_value=MOST_INSTANCES, help_text="0 lets it sleep when nobody asks."
    )
    maximum = forms.IntegerField(label="Maximum", min_value=1, max_value=MOST_INSTANCES)
    default = forms.IntegerField(
        label="Default",
        required=False,
        min_value=0,
        help_text="Where no metric is known, and how many it wakes with.",
    )
    idle_timeout = forms.CharField(
        label="Sleep after",
        required=False,
        max_length=20,
        help_text="Without requests for so long, with a minimum of 0: 90s, 10m or 1h30m.",
    )
    hold_requests = forms.IntegerField(
        label="Requests held while it wakes", min_value=0, initial=200, help_text="More are told to come again."
    )
    hold_timeout = forms.CharField(label="Held for at most", max_length=20, initial="2m")
    quota_while_asleep = forms.ChoiceField(
        label="Quota while it sleeps",
        choices=[
            ("kept", "kept, so that it surely wakes"),
            ("released", "given back; waking fails where there is none left"),
        ],
    )

    def changes(self) -> dict[str, Any]:
        """As keys of the document."""
        values = self.cleaned_data
        sleeps = not values["minimum"]
        return {
            "minimum": values["minimum"],
            "maximum": values["maximum"],
            "default": values["default"],
            "idle_timeout": (values["idle_timeout"] or None) if sleeps else None,
            "hold": {"requests": values["hold_requests"], "timeout": values["hold_timeout"]},
            "quota_while_asleep": values["quota_while_asleep"],
        }


class RuleForm(SlimForm):
    """One rule, in the words of a sentence."""

    metric = forms.ChoiceField(label="When", choices=[(name, _METRIC_WORDS[name]) for name in METRICS])
    resource = forms.ChoiceField(
        label="Of", choices=[("deployment", "this deployment"), ("endpoint", "the whole endpoint")]
    )
    statistic = forms.ChoiceField(
        label="Statistic",
        choices=[(word, _STATISTIC_WORDS.get(word, word)) for word in STATISTICS],
        help_text=f"{', '.join(PERCENTILES)} are of latency.",
    )
    operator = forms.ChoiceField(label="Is", choices=[(sign, sign) for sign in (">", ">=", "<", "<=")])
    threshold = forms.FloatField(label="Threshold", initial=70)
    window = forms.CharField(label="Over the last", initial="5m", max_length=20)
    direction = forms.ChoiceField(
        label="Then", choices=[("out", "add"), ("in", "take away"), ("to", "set the count to")]
    )
    amount = forms.IntegerField(label="Instances", min_value=0, initial=1)
    is_percent = forms.BooleanField(label="Percent of the count, not instances", required=False)
    cooldown = forms.CharField(
        label="Cool-down", initial="5m", max_length=20, help_text="After any change by a rule, this one waits so long."
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                read_condition(self.condition())
            except BadRule as bad:
                raise forms.ValidationError(str(bad)) from None
        return values

    def condition(self) -> str:
        values = self.cleaned_data
        return "{metric} {operator} {threshold:g} {statistic} {window}".format(**values)

    def document(self) -> dict[str, Any]:
        """As a rule of the document."""
        values = self.cleaned_data
        percent = "%" if values["is_percent"] else ""
        return {
            "condition": self.condition(),
            "scale": f"{values['direction']} {values['amount']}{percent}",
            "cooldown": values["cooldown"],
            "resource": values["resource"],
        }


class ScheduleForm(SlimForm):
    """One stretch of the week."""

    name = forms.CharField(max_length=80, initial="weekend")
    days = forms.MultipleChoiceField(
        label="On", choices=list(_DAY_WORDS.items()), widget=forms.CheckboxSelectMultiple, initial=["sat", "sun"]
    )
    starts = forms.CharField(label="From", initial="00:00", max_length=5)
    ends = forms.CharField(label="To", initial="24:00", max_length=5, help_text="Earlier than From: the next morning.")
    time_zone = forms.CharField(
        label="Time zone", initial="UTC", max_length=60, help_text="Europe/Berlin, or Pacific Standard Time."
    )
    minimum = forms.IntegerField(label="Minimum", min_value=0, max_value=MOST_INSTANCES, initial=1)
    maximum = forms.IntegerField(label="Maximum", min_value=1, max_value=MOST_INSTANCES, initial=1)
    count = forms.IntegerField(
        label="Count", required=False, min_value=0, help_text="How many it begins with; the minimum unless given."
    )

    def document(self) -> dict[str, Any]:
        """As a schedule of the document."""
        return {key: value for key, value in self.cleaned_data.items() if value is not None}
