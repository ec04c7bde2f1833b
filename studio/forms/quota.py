"""Forms about quota: limits, asking for more, deciding, what if, instance types. The rules stand in the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from studio.forms.fields import SlimForm


class LimitsForm(SlimForm):
    """Two numbers of cores per family, in fields named `limit-<family>` and `pool-<family>`."""

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, limits: Mapping[str, int], pools: Mapping[str, int]
    ) -> None:
        super().__init__(data)
        for kind, title, cores in (("limit", "Limit", limits), ("pool", "Shared pool", pools)):
            for family, number in cores.items():
                label = f"{title} of {family} in cores"
                self.fields[f"{kind}-{family}"] = forms.IntegerField(
                    label=label,
                    min_value=0,
                    required=kind == "limit",
                    initial=number,
                    show_hidden_initial=True,
                    widget=forms.NumberInput(attrs={"aria-label": label}),
                )

    def limits(self) -> dict[str, int]:
        """Those that were changed: what somebody else saved meanwhile stays."""
        return self._changed("limit-")

    def pools(self) -> dict[str, int]:
        return self._changed("pool-")

    def _changed(self, prefix: str) -> dict[str, int]:
        names = [name for name in self.changed_data if name.startswith(prefix)]
        values = {name.removeprefix(prefix): self.cleaned_data[name] for name in names}
        return {family: cores for family, cores in values.items() if cores is not None}


class MoreCoresForm(SlimForm):
    family = forms.ChoiceField()
    limit_cores = forms.IntegerField(label="New limit in cores", min_value=1)
    reason = forms.CharField(
        required=False, help_text="What it is for and until when.", widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, families: Sequence[str], family: str = "") -> None:
        super().__init__(data, initial={"family": family})
        self.fields["family"] = forms.ChoiceField(choices=[(name, name) for name in families])


class DecisionForm(SlimForm):
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}))


class WhatIfForm(SlimForm):
    instance_type = forms.ChoiceField()
    instance_count = forms.IntegerField(label="Instances", min_value=1, max_value=10_000)

    def __init__(self, data: Mapping[str, Any] | None = None, *, types: Sequence[str]) -> None:
        super().__init__(data)
        self.fields["instance_type"] = forms.ChoiceField(choices=[(name, name) for name in types])


class InstanceTypeForm(SlimForm):
    name = forms.CharField(
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "placeholder": "Own_Workstation_8"}),
    )
    family = forms.CharField(
        max_length=64,
        help_text="Types of one family share its limit of cores.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Workstations"}),
    )
    cores = forms.IntegerField(min_value=1)
    memory_gib = forms.FloatField(label="Memory in GiB")
    gpus = forms.FloatField(label="GPUs", required=False, help_text="A part of one may be given, such as 0.5.")
    gpu_model = forms.CharField(label="GPU model", max_length=64, required=False)
    is_exempt = forms.BooleanField(label="Exempt from the reservation for upgrades", required=False)
    price_per_hour = forms.DecimalField(
        required=False, max_digits=12, decimal_places=6, help_text="In the studio's own currency; may be left out."
    )

    def values(self) -> dict[str, object]:
        """What the type stands for, without its name."""
        values = {key: value for key, value in self.cleaned_data.items() if key != "name"}
        return {**values, "gpus": values["gpus"] or 0.0}
