"""Fourth step: instance type and count within quota, request limits and probes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from django import forms
from django.conf import settings

from endpoints import selectors, services
from endpoints.spec.documents import MAX_INSTANCES_PER_DEPLOYMENT, Probe, RequestSettings
from studio.wizards import likeness
from studio.wizards.answers import Answers, ComputeAnswer
from studio.wizards.capacity import Capacity, QuotaSum, SizeOption, capacity_of
from studio.wizards.steps.base import Step


def _number(label: str, initial: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=1, initial=initial)


def _probe(prefix: str) -> dict[str, forms.IntegerField]:
    """The five fields of one probe, named as in the document."""
    defaults = Probe()
    return {
        f"{prefix}_initial_delay": _number("Initial delay, s", defaults.initial_delay),
        f"{prefix}_period": _number("Period, s", defaults.period),
        f"{prefix}_timeout": _number("Time-out, s", defaults.timeout),
        f"{prefix}_failure_threshold": _number("Failures in a row", defaults.failure_threshold),
    }


class ComputeStep(Step):
    instance_type = forms.ChoiceField(label="Instance type")
    instance_count = forms.IntegerField(
        label="Instances",
        min_value=1,
        max_value=MAX_INSTANCES_PER_DEPLOYMENT,
        initial=1,
        help_text="Three or more survive the loss of one.",
    )
    shared_pool_hours = forms.IntegerField(
        label="Hours on the shared pool",
        required=False,
        min_value=0,
        initial=0,
        help_text="Its cores are lent: at the end the deployment is stopped.",
    )
    backend = forms.ChoiceField(label="Run as", required=False, help_text="Containers are kept from each other.")
    request_timeout_ms = _number("Time-out, ms", 5000)
    max_concurrent_requests_per_instance = _number("At once", 1)
    max_queue_wait_ms = _number("Wait at most, ms", 500)
    liveness_initial_delay, liveness_period, liveness_timeout, liveness_failure_threshold = _probe("liveness").values()
    readiness_initial_delay, readiness_period, readiness_timeout, readiness_failure_threshold = _probe(
        "readiness"
    ).values()

    def prepare(self) -> None:
        self.capacity: Capacity = capacity_of(self.user)
        self.choose("instance_type", [(option.name, option.name) for option in self.capacity.options])
        if self.like:
            self.suggest(**likeness.compute_of(self.like))
        self.suggest(instance_type=self.capacity.recommended)
        if services.backend_trouble("docker"):
            del self.fields["backend"]
        else:
            names = {"process": "Process on this host", "docker": "Container"}
            usual = names.pop(settings.SLIPWAY_BACKEND, settings.SLIPWAY_BACKEND)
            self.choose("backend", [("", f"{usual} (as usual)"), *names.items()])

    def clean(self) -> None:
        self._check_limits()
        option = self.chosen
        if option is None:
            return
        if option.refusal:
            self.refuse("instance_type", f"{option.name}: {option.refusal}. Choose another type.")
            return
        count = self.cleaned_data.get("instance_count")
        quota = self.capacity.check(option, count) if count else None
        hours = self.cleaned_data.get("shared_pool_hours") or 0
        if hours > self.capacity.longest_loan_h:
            self.refuse("shared_pool_hours", f"The shared pool lends for {self.capacity.longest_loan_h} hours at most.")
        if quota and not quota.fits and not (hours and quota.pool_fits):
            self.refuse("instance_count", "Not enough quota: see below what would fit.")

    def _check_limits(self) -> None:
        for name in ("request_timeout_ms", "instance_count"):
            wanted = self.cleaned_data.get(name) or 0
            most = selectors.setting("instances_per_deployment" if name == "instance_count" else name)
            if wanted > most:
                self.refuse(name, f"This studio allows {most} at most.")

    def extend(self, so_far: Answers) -> Answers:
        answer = ComputeAnswer(
            instance_type=self.cleaned_data["instance_type"],
            instance_count=self.cleaned_data["instance_count"],
            request_settings=dict(self._changed("", RequestSettings())),
            liveness_probe=dict(self._changed("liveness_", Probe())),
            readiness_probe=dict(self._changed("readiness_", Probe())),
            backend=self.cleaned_data.get("backend", ""),
            shared_pool_hours=self.cleaned_data.get("shared_pool_hours") or 0,
        )
        return replace(so_far, compute=answer)

    @property
    def chosen(self) -> SizeOption | None:
        """The card that is picked, in what was sent or to begin with."""
        return self.capacity.option(str(self["instance_type"].value() or ""))

    @property
    def wanted_count(self) -> int | None:
        """The number of instances in the field, None where it is no number."""
        text = str(self["instance_count"].value() or "")
        return int(text) if text.isdecimal() and 0 < int(text) <= MAX_INSTANCES_PER_DEPLOYMENT else None

    @property
    def sum(self) -> QuotaSum | None:
        """The arithmetic for what is chosen now; None while there is nothing to add up."""
        option, count = self.chosen, self.wanted_count
        return self.capacity.check(option, count) if option and count and not option.refusal else None

    @property
    def lends_from_pool(self) -> bool:
        """Whether there is a pool at all for the family that is chosen."""
        quota = self.sum
        return quota is not None and quota.pool > 0

    @property
    def request_fields(self) -> list[forms.BoundField]:
        return [self[field.name] for field in fields(RequestSettings)]

    @property
    def liveness_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name.startswith("liveness_")]

    @property
    def readiness_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name.startswith("readiness_")]

    @property
    def has_limit_errors(self) -> bool:
        return any(name not in {"instance_type", "instance_count", "backend"} for name in self.errors)

    def _changed(self, prefix: str, defaults: object) -> Iterator[tuple[str, int]]:
        """The settings that differ from the document's defaults; an empty field means the default."""
        for name, field in self.fields.items():
            key = name.removeprefix(prefix)
            if not name.startswith(prefix) or not hasattr(defaults, key) or not isinstance(field, forms.IntegerField):
                continue
            value = self.cleaned_data.get(name)
            if value is not None and value != getattr(defaults, key):
                yield key, value
