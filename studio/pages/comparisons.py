"""Comparing a shadow with what is live: how far they agree, where they differ, and making the shadow live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import ComparisonExample, OnlineEndpoint
from endpoints.spec.agreement import Kind
from endpoints.spec.errors import Conflict, Invalid
from endpoints.telemetry.comparisons import QUANTILES, Summary
from endpoints.telemetry.windows import RANGES, range_named
from studio.access import actions
from studio.access.policy import grants_of, require
from studio.charts import COMPARISON_CHARTS, VERDICTS
from studio.figures import figure
from studio.forms.comparisons import ComparisonForm, PromotionForm
from studio.pages import endpoints
from studio.pages.answers import Request, form_page, go, page
from studio.pages.bodies import shown
from studio.pages.metrics import palette_of
from studio.pages.side_by_side import side_by_side
from studio.pages.traffic_undo import remember
from studio.templatetags.look import Share

DEFAULT_RANGE = "1h"
SHOWN_OF_A_KIND = 8
REASONS = {
    "MirrorDropped": "had no free instance to take the copy",
    "InstanceUnreachable": "its instance could not be reached",
    "InstanceFailed": "its instance broke off",
    "BadAnswer": "answered what is no HTTP",
    "RequestTimeout": "did not answer in time",
    "Streaming": "the answer is a stream of events",
    "TooLarge": "an answer is larger than 64 KiB",
    "LiveFailed": "the caller left, or got no whole answer",
    "Encoded": "an answer is compressed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many pairs ended so."""

    word: str
    colour: str
    pairs: int
    percent: float


@require_GET
def compare(request: Request, name: str) -> HttpResponse:
    """The comparison of an endpoint. What is measured asks for itself again and again."""
    context = endpoints.frame(request.user, name, "compare")
    found = selectors.comparison_of(request.user, name)
    chosen = range_named(request.GET.get("range", "") or DEFAULT_RANGE)
    may_see = grants_of(request.user).allows(actions.LIST_COMPARED_ANSWERS, name.lower())
    context |= {
        "found": found,
        "verdicts": _verdicts(found.summary),
        "shares": _bar(found.summary),
        "reasons": _reasons(found.summary),
        "latencies": _latencies(found.summary),
        "has_changed": _has_changed(found),
        "may_see_answers": may_see,
        "examples": _shown(selectors.comparison_examples(request.user, name)) if may_see else [],
        "charts": COMPARISON_CHARTS.values(),
        "ranges": RANGES.values(),
        "chosen_range": chosen,
        "figures_url": f"{reverse('endpoints:compare-figures', args=[name])}?range={chosen.key}",
    }
    return page(request, "pages/endpoints/compare.html", context, fragment="live")


@require_GET
def compare_figures(request: Request, name: str) -> JsonResponse:
    """The charts of a comparison for Plotly."""
    found = selectors.compared_readings(request.user, name, range_key=request.GET.get("range", ""))
    palette = palette_of(found)
    marks = selectors.marks(found)
    figures = {key: figure(chart, found, palette, marks) for key, chart in COMPARISON_CHARTS.items()}
    answer = JsonResponse({"figures": figures})
    answer["Cache-Control"] = "no-store"
    return answer


def _shown(examples: Sequence[ComparisonExample]) -> list[tuple[ComparisonExample, str]]:
    """The worst few of each kind, with the reason in words; the command line lists them all."""
    kinds = dict.fromkeys(one.kind for one in examples)
    few = [one for kind in kinds for one in [one for one in examples if one.kind == kind][:SHOWN_OF_A_KIND]]
    return [(one, reason_words(one.reason)) for one in few]


def _verdicts(summary: Summary | None) -> list[Verdict]:
    if summary is None or not summary.pairs:
        return []
    return [
        Verdict(word, colour, summary.kinds.get(kind, 0), 100 * summary.kinds.get(kind, 0) / summary.pairs)
        for kind, (word, colour) in VERDICTS.items()
        if kind != Kind.LEFT_OUT or summary.kinds.get(kind)
    ]


def _bar(summary: Summary | None) -> list[Share]:
    """Whole percents for the bar, and never nothing where there is something."""
    return [
        Share(one.word, max(1, round(one.percent)), one.colour)
        for one in _verdicts(summary)
        if one.pairs and one.word != VERDICTS[Kind.LEFT_OUT][0]
    ]


def _reasons(summary: Summary | None) -> list[tuple[str, str, int]]:
    """(verdict, in words why, pairs)."""
    found = summary.reasons if summary else ()
    return [(VERDICTS[one.kind][0], reason_words(one.reason), one.pairs) for one in found if one.reason]


def reason_words(reason: str) -> str:
    """Why a pair was not compared, or what went wrong with the shadow."""
    if reason.startswith("Status"):
        return f"answered {reason.removeprefix('Status')}"
    return REASONS.get(reason, reason)


def _latencies(summary: Summary | None) -> list[tuple[str, float | None, float | None, float | None]]:
    """(p50 …, live, shadow, how much slower the shadow was)."""
    if summary is None:
        return []
    both = summary.latencies
    words = [f"p{quantile * 100:g}" for quantile in QUANTILES]
    return list(zip(words, both.live, both.shadow, both.difference, strict=True))


def _has_changed(found: selectors.Compared) -> int:
    """The shadow's revision now, where it is another than the one the comparison began with; else 0."""
    if found.last is None:
        return 0
    revision = found.endpoint.deployments.filter(name=found.last.shadow).values_list("revision", flat=True).first()
    return revision if revision and revision != found.last.revision else 0


@require_http_methods(["GET", "POST"])
def compare_settings(request: Request, name: str) -> HttpResponse:
    """What is mirrored and how it is compared."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    found = selectors.comparison_of(request.user, name)
    endpoint = found.endpoint
    shadows = [one.name for one in selectors.deployments_of(request.user, name) if not endpoint.traffic.get(one.name)]
    back = reverse("endpoints:compare", args=[name])
    form = (
        ComparisonForm(request.POST, shadows=shadows)
        if request.method == "POST"
        else ComparisonForm.showing(found.settings, shadow=found.shadow, percent=found.percent, shadows=shadows)
    )
    if form.is_valid():
        changes = form.changes()
        try:
            services.update_endpoint(request.user, name=name, changes=changes)
        except (Invalid, Conflict) as error:
            form.add_refusal(error)
        else:
            _remember(request, endpoint, endpoint.traffic, changes["mirror_traffic"])
            return go(request, back)
    context = {
        "title": f"Compare a shadow of {name}",
        "intro": "Callers are answered as before. A copy of their requests goes to the shadow as well, and a sample of "
        "both answers is compared.",
        "points": ["Another shadow, tolerance or path begins a new count; what was found before is deleted."]
        if found.last
        else [],
        "submit": "Compare" if found.state != "on" else "Save",
        "back": back,
        "is_impossible": not shadows,
        "refusal": "" if shadows else "Every deployment has live traffic. Add one without, or take one's share away.",
    }
    return form_page(request, "pages/form.html", context, form=form)


def _remember(request: Request, endpoint: OnlineEndpoint, traffic: Mapping[str, int], mirror: object) -> None:
    """So that the overview offers to take the change back."""
    assert isinstance(mirror, Mapping)  # noqa: S101  the form, or the promotion, made it
    remember(request.session, endpoint, traffic=traffic, mirror_traffic=mirror)


@require_POST
def compare_off(request: Request, name: str) -> HttpResponse:
    """Compare no more. Mirroring goes on, and what was found stays."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    services.update_endpoint(request.user, name=name, changes={"comparison": None})
    return go(request, reverse("endpoints:compare", args=[name]))


@require_http_methods(["GET", "POST"])
def compare_reset(request: Request, name: str) -> HttpResponse:
    """Forget what was found, after asking."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    found = selectors.comparison_of(request.user, name)
    back = reverse("endpoints:compare", args=[name])
    refusal = ""
    if request.method == "POST":
        try:
            services.reset_comparison(request.user, name=name)
        except Conflict as error:
            refusal = error.message
        else:
            return go(request, back)
    pairs = found.summary.pairs if found.summary else 0
    context = {
        "title": "Forget what was found?",
        "intro": f"Deletes the counts of {pairs:,} pairs, the fields that differed, and the kept answers and requests. "
        "Comparing goes on from nothing.",
        "submit": "Forget it",
        "danger": True,
        "back": back,
        "refusal": refusal,
    }
    return page(request, "pages/form.html", context, fragment="form", status=422 if refusal else 200)


@require_http_methods(["GET", "POST"])
def compare_promote(request: Request, name: str) -> HttpResponse:
    """Make the shadow live, after saying exactly what that does."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    back = reverse("endpoints:detail", args=[name])
    initial = {"percent": 100, "generation": endpoint.generation, "seen": 100}
    form = PromotionForm(request.POST) if request.method == "POST" else PromotionForm(initial=initial)
    percent = form.cleaned_data["percent"] if form.is_bound and form.is_valid() else 100
    context: dict[str, object] = {"title": "Promote the shadow?", "submit": "Promote", "back": back}
    try:
        planned = services.promotion_of(endpoint, percent=percent)
        context |= {"title": f"Promote {planned.shadow}?", "points": _steps(endpoint, planned)}
        if not planned.ready_instances:
            raise Conflict(f"{planned.shadow} has no ready instance; as a live deployment it would refuse its share.")
        if form.is_bound and form.is_valid():
            if form.cleaned_data["seen"] != percent:
                raise Conflict("With another share this is what it does; press once more to do it.")
            generation = form.cleaned_data["generation"]
            services.promote_shadow(request.user, name=name, percent=percent, generation=generation)
            _remember(request, endpoint, planned.traffic, {})
            return go(request, back)
    except (Invalid, Conflict) as error:
        form = PromotionForm({"percent": percent, "generation": endpoint.generation, "seen": percent})
        form.add_error(None, error.message)
    context["intro"] = "One change of the endpoint; the overview offers to undo it."
    return form_page(request, "pages/form.html", context, form=form)


def _steps(endpoint: OnlineEndpoint, planned: services.Promotion) -> list[str]:
    """What will be so afterwards, in words."""
    before, after = endpoint.traffic, planned.traffic
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name, 0) != after.get(name, 0)]
    shifts = ", ".join(f"{name} {before.get(name, 0)} → {after.get(name, 0)} %" for name in names)
    percent = endpoint.mirror_traffic.get(planned.shadow, 0)
    return [
        f"Live traffic: {shifts}.",
        f"Mirroring {percent} % to {planned.shadow} ends. What comparing found can still be looked at.",
    ]


@require_GET
def compare_example(request: Request, name: str, example_id: int) -> HttpResponse:
    """One pair, whole: both answers side by side, and the request where it was kept."""
    context = endpoints.frame(request.user, name, "compare")
    row = selectors.comparison_example(request.user, name, example_id)
    live, shadow = (
        shown(bytes(body), kind) for body, kind in ((row.live_body, row.live_type), (row.shadow_body, row.shadow_type))
    )
    context |= {
        "example": row,
        "verdict": VERDICTS[Kind(row.kind)][0],
        "reason": reason_words(row.reason) if row.reason else "",
        "live_body": live,
        "shadow_body": shadow,
        "sides": side_by_side(live.text, shadow.text),
        "request_body": None if row.request_body is None else shown(bytes(row.request_body), "application/json"),
        "differences": [dict(zip(("path", "live", "shadow", "size"), each, strict=True)) for each in row.differences],
    }
    answer = page(request, "pages/endpoints/compare_example.html", context)
    answer["Cache-Control"] = "no-store"
    return answer
