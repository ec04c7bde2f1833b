"""Metrics: the charts of an endpoint or a deployment, their numbers as tables and CSV, and the figures of now."""

from __future__ import annotations

import csv
import io
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from endpoints import selectors
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.windows import DEFAULT_RANGE, RANGES, range_named
from studio.charts import CHARTS, LATENCY_SHORT, TABLES, Chart, Palette
from studio.figures import figure, table
from studio.pages import deployments, endpoints
from studio.pages.answers import Request, page
from studio.templatetags.look import series_colour

ALL_CHARTS = {**CHARTS, **TABLES, LATENCY_SHORT.key: LATENCY_SHORT}
FORMER = "var(--series-8)"  # of a deployment that is gone


@require_GET
def endpoint_metrics(request: Request, name: str) -> HttpResponse:
    """The charts of an endpoint; `?deployment=` narrows them down to one of its deployments."""
    endpoint = selectors.get_endpoint(request.user, name)
    context = endpoints.frame_of(request.user, endpoint, "metrics")
    rows = list(selectors.deployments_of(request.user, endpoint).prefetch_related(None))
    chosen = request.GET.get("deployment", "")
    context |= {"deployments": rows} | _panel(request, endpoint.name, chosen)
    return page(request, "pages/metrics/endpoint.html", context, fragment="panel")


@require_GET
def deployment_metrics(request: Request, endpoint: str, name: str) -> HttpResponse:
    """The charts of one deployment."""
    context = deployments.frame(request.user, endpoint, name, "metrics")
    context |= _panel(request, endpoint.lower(), name.lower())
    return page(request, "pages/metrics/deployment.html", context, fragment="panel")


def _panel(request: Request, endpoint: str, deployment: str) -> dict[str, object]:
    """What the charts' part of both pages needs. With `?table=` one chart is read at once and shown as a table."""
    chosen = range_named(request.GET.get("range", "") or DEFAULT_RANGE)
    query = {"range": chosen.key} | ({"deployment": deployment} if deployment else {})
    shown = request.GET.get("table", "")
    context: dict[str, object] = {
        "charts": CHARTS.values(),
        "tables": TABLES.values(),
        "ranges": RANGES.values(),
        "chosen_range": chosen,
        "chosen_deployment": deployment,
        "figures_url": f"{reverse('endpoints:figures', args=[endpoint])}?{urlencode(query)}",
        "chart_query": urlencode(query),
    }
    if shown:
        found = selectors.readings(request.user, endpoint, range_key=chosen.key, deployment=deployment)
        context |= {"table_of": _chart(shown), "table": table(_chart(shown), found, palette_of(found))}
    return context


@require_GET
def figures(request: Request, name: str) -> HttpResponse:
    """Plotly figures by chart: all of them, or those named by `?chart=`. An open page asks again and again."""
    wanted = [_chart(key) for key in request.GET.getlist("chart")] or list(CHARTS.values())
    found = _readings(request, name)
    palette = palette_of(found)
    marks = selectors.marks(found)
    answer = JsonResponse({"figures": {one.key: figure(one, found, palette, marks) for one in wanted}})
    answer["Cache-Control"] = "no-store"
    return answer


@require_GET
def as_csv(request: Request, name: str, chart: str) -> HttpResponse:
    """The numbers of one chart, oldest first."""
    chosen = _chart(chart)
    found = _readings(request, name)
    numbers = table(chosen, found, palette_of(found))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", *numbers.columns])
    for at, values in reversed(numbers.rows):
        writer.writerow([at.isoformat(), *("" if value is None else f"{value:.6g}" for value in values)])
    file_name = "-".join(filter(None, (found.endpoint, found.deployment, chosen.key, request.GET.get("range", ""))))
    disposition = content_disposition_header(True, f"{file_name}.csv") or ""
    headers = {"Content-Disposition": disposition}
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


@require_GET
def kpis(request: Request, name: str) -> HttpResponse:
    """The row of figures on an endpoint's overview, and the shares seen below its traffic."""
    context = endpoints.figures_of_now(request.user, name)
    return page(request, "pages/metrics/kpis.html", context)


def _readings(request: Request, endpoint: str) -> Readings:
    query = request.GET
    return selectors.readings(
        request.user, endpoint, range_key=query.get("range", ""), deployment=query.get("deployment", "")
    )


def _chart(key: str) -> Chart:
    if key not in ALL_CHARTS:
        raise Http404(f"There is no chart named {key[:40]!r}.")
    return ALL_CHARTS[key]


def palette_of(found: Readings) -> Palette:
    """The colours of the deployments of readings a selector gave. One query."""
    colours = {name: series_colour(name, place) for name, place in selectors.colours(found).items()}
    return lambda name: colours.get(name, FORMER)
