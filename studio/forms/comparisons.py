"""Forms about comparing a shadow: what is compared and how, and the share it gets when it is promoted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from endpoints.spec.comparison import MAX_EXAMPLES, MAX_PER_SECOND, ComparisonSettings
from endpoints.spec.errors import SlipwayError
from studio.forms.endpoints import USUAL_MIRROR_PERCENT, LinesField
from studio.forms.fields import SlimForm

_PATHS = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})


class ComparisonForm(SlimForm):
    """`mirror_traffic` and `comparison` of an endpoint's document, flat."""

    shadow = forms.ChoiceField(label="Shadow", help_text="A deployment without live traffic.")
    percent = forms.IntegerField(
        label="Mirrored percent", min_value=1, max_value=100, help_text="Of the live requests; each is sent once more."
    )
    sample_percent = forms.IntegerField(
        label="Compared percent", min_value=1, max_value=100, help_text="Of the mirrored requests."
    )
    max_per_second = forms.IntegerField(label="Pairs a second at most", min_value=1, max_value=MAX_PER_SECOND)
    absolute_tolerance = forms.FloatField(min_value=0, help_text="Numbers this near to each other are close.")
    relative_tolerance = forms.FloatField(min_value=0, help_text="The same as a part of the larger one: 0.01 is 1 %.")
    ignored_paths = LinesField(
        required=False,
        widget=_PATHS,
        help_text="What differs there does not count, one a line: $.timestamp, $..id, $.items[*].at",
    )
    unordered_paths = LinesField(
        required=False, widget=_PATHS, help_text="Lists whose items may stand in any order, one a line: $.tags"
    )
    examples = forms.IntegerField(
        label="Pairs kept",
        min_value=0,
        max_value=MAX_EXAMPLES,
        help_text="The worst ones, with both answers. 0 keeps no answer.",
    )
    keep_requests = forms.BooleanField(
        label="Keep the requests of these pairs too",
        required=False,
        help_text="They hold what callers sent. They are deleted with the pair, by Reset, and with the endpoint.",
    )

    def __init__(self, data: Any = None, *, shadows: Sequence[str], **more: Any) -> None:
        super().__init__(data, **more)
        field = self.fields["shadow"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  declared above
        field.choices = [(name, name) for name in shadows]

    @classmethod
    def showing(
        cls, settings: ComparisonSettings | None, *, shadow: str, percent: int, shadows: Sequence[str]
    ) -> ComparisonForm:
        """The form with what is set now, or with the defaults."""
        now = settings or ComparisonSettings()
        initial = {name: getattr(now, name) for name in cls.base_fields if name not in {"shadow", "percent"}}
        initial |= {"shadow": shadow, "percent": percent or USUAL_MIRROR_PERCENT}
        return cls(shadows=shadows, initial=initial)

    def changes(self) -> dict[str, object]:
        """What was asked for, as the document has it."""
        asked = dict(self.cleaned_data)
        return {"mirror_traffic": {asked.pop("shadow"): asked.pop("percent")}, "comparison": asked}

    def add_refusal(self, error: SlipwayError) -> None:
        """Each detail at the field it is about."""
        for detail in error.details:
            top, _, rest = detail.field.partition(".")
            name = rest.partition("[")[0] if top == "comparison" else "percent"
            self.add_error(name if name in self.fields else None, detail.message)
        if not error.details:
            self.add_error(None, error.message)


class PromotionForm(SlimForm):
    """generation: of the endpoint whose split the person has seen; seen: the share it was worked out for."""

    percent = forms.IntegerField(label="Its share in percent", min_value=1, max_value=100, initial=100)
    generation = forms.IntegerField(widget=forms.HiddenInput)
    seen = forms.IntegerField(widget=forms.HiddenInput)
