"""The form of a guarded rollout: stages and gates as rows, empty rows ignored. The rules stand in the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms

from endpoints.spec.errors import SlipwayError
from endpoints.telemetry.close import GATE_METRICS
from studio.forms.fields import SlimForm

STAGES, GATES = 5, 4
USUAL_STAGES = ((10, 300), (50, 300), (100, 300))
USUAL_GATES = (("ErrorPercentage", "max", 1), ("RequestLatency_P99", "max_ratio", 1.5))
BOUNDS = (
    ("max", "at most"),
    ("max_ratio", "at most … times the old one's"),
    ("max_increase", "at most … above the old one's"),
    ("min", "at least"),
)
# A place in the document -> the field that holds it.
_PLACE = re.compile(r"(stages|gates)\[(\d+)\](?:\.(\w+))?")


class RolloutForm(SlimForm):
    """Fields `stage-<n>-percent|seconds|requests` and `gate-<n>-metric|bound|value`, and what holds for all of them."""

    window_seconds = forms.IntegerField(label="Judge the last … seconds", initial=60)
    min_requests = forms.IntegerField(label="Requests before judging", initial=20)
    timeout_seconds = forms.IntegerField(label="Give a stage up after … seconds", initial=3600)
    finish = forms.ChoiceField(
        label="Then the old deployment",
        choices=[("keep", "stays"), ("scale", "is scaled to 1"), ("delete", "is deleted")],
        initial="keep",
    )
    after_seconds = forms.IntegerField(label="after another … seconds", initial=600)

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        for number in range(STAGES):
            self._add_stage(number)
        for number in range(GATES):
            self._add_gate(number)

    def _add_stage(self, number: int) -> None:
        percent, seconds = USUAL_STAGES[number] if number < len(USUAL_STAGES) else (None, None)
        for word, initial in (("percent", percent), ("seconds", seconds), ("requests", None)):
            name = f"Stage {number + 1}, {word}"
            self.fields[f"stage-{number}-{word}"] = forms.IntegerField(label=name, required=False, initial=initial)

    def _add_gate(self, number: int) -> None:
        metric, bound, value = USUAL_GATES[number] if number < len(USUAL_GATES) else ("", "max", None)
        metrics = [("", "No gate"), *((name, f"{text}, {unit}") for name, text, unit in GATE_METRICS)]
        place = f"Gate {number + 1}"
        self.fields[f"gate-{number}-metric"] = forms.ChoiceField(
            label=f"{place}, metric", choices=metrics, required=False, initial=metric
        )
        self.fields[f"gate-{number}-bound"] = forms.ChoiceField(
            label=f"{place}, bound", choices=BOUNDS, required=False, initial=bound
        )
        self.fields[f"gate-{number}-value"] = forms.FloatField(
            label=f"{place}, value", required=False, initial=value, widget=forms.NumberInput(attrs={"step": "any"})
        )

    def stage_rows(self) -> list[list[forms.BoundField]]:
        words = ("percent", "seconds", "requests")
        return [[self[f"stage-{number}-{word}"] for word in words] for number in range(STAGES)]

    def gate_rows(self) -> list[list[forms.BoundField]]:
        words = ("metric", "bound", "value")
        return [[self[f"gate-{number}-{word}"] for word in words] for number in range(GATES)]

    def other_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("window_seconds", "min_requests", "timeout_seconds", "finish", "after_seconds")]

    def document(self, *, endpoint: str, old: str, new: str) -> dict[str, object]:
        """The document the filled rows come to."""
        values = self.cleaned_data
        return {
            "endpoint_name": endpoint,
            "from_deployment": old,
            "to_deployment": new,
            "stages": list(self._stages()),
            "gates": list(self._gates()),
            **{name: values[name] for name in ("window_seconds", "min_requests", "timeout_seconds")},
            "finish": {"old": values["finish"], "after_seconds": values["after_seconds"]},
        }

    def _stages(self) -> Iterator[dict[str, int]]:
        for number in self._filled("stage", "percent", STAGES):
            words = ("percent", "seconds", "requests")
            yield {word: self.cleaned_data[f"stage-{number}-{word}"] or 0 for word in words}

    def _gates(self) -> Iterator[dict[str, object]]:
        for number in self._filled("gate", "metric", GATES):
            bound = {self.cleaned_data[f"gate-{number}-bound"] or "max": self.cleaned_data[f"gate-{number}-value"]}
            given = {name: value for name, value in bound.items() if value is not None}
            yield {"metric": self.cleaned_data[f"gate-{number}-metric"], **given}

    def _filled(self, kind: str, word: str, most: int) -> Sequence[int]:
        """Numbers of the rows that say something."""
        return [number for number in range(most) if self.cleaned_data.get(f"{kind}-{number}-{word}")]

    def add_refusal(self, error: SlipwayError) -> None:
        """Each detail at the row it speaks of, the rest above the form."""
        for detail in error.details:
            self.add_error(self._field_of(detail.field), detail.message)
        if not error.details:
            self.add_error(None, error.message)

    def _field_of(self, place: str) -> str | None:
        if found := _PLACE.match(place):
            kind, index, word = found[1], int(found[2]), found[3]
            first = "percent" if kind == "stages" else "metric"
            rows = self._filled(kind[:-1], first, STAGES if kind == "stages" else GATES)
            word = word if kind == "stages" else "metric" if word == "metric" else "value"
            name = f"{kind[:-1]}-{rows[index]}-{word or first}"
        else:
            name = "finish" if place == "finish.old" else place.removeprefix("finish.")
        return name if name in self.fields else None


class ShiftForm(SlimForm):
    """How much of the endpoint's traffic the new deployment gets."""

    percent = forms.IntegerField(label="Share of the new one, percent", min_value=0, max_value=100)
