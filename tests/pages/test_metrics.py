"""Charts, tables and figures on pages, and what they say when nothing was measured."""

from __future__ import annotations

import csv
import json
import time
from datetime import timedelta
from pathlib import Path

import plotly
import plotly.graph_objects
import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone

from endpoints.models import DiskRollup, InstanceRollup, InstanceType, OnlineEndpoint, Operation
from endpoints.telemetry.intake import take
from studio.access.models import User
from studio.access.roles import assign
from studio.charts import CHARTS, TABLES
from tests.pages import world
from tests.pages.conftest import visiting
from tests.pages.test_style import TOKENS
from tests.telemetry.world import batch, encoded, series

RISK = ["diabetes-risk"]
BLUE = ["diabetes-risk", "blue"]


@pytest.fixture
def busy(risk: OnlineEndpoint) -> OnlineEndpoint:
    """Nine requests to blue and one to green a minute and a half ago, one refused and one without a key."""
    now = timezone.now()
    OnlineEndpoint.objects.update(created_at=now - timedelta(days=2))
    found = [
        series("blue", *[8.0] * 9, endpoint=risk.name),
        series("green", 12.0, endpoint=risk.name),
        series("blue", 1, endpoint=risk.name, status=429, model_status=0, reason="TooManyRequests"),
        series("", 1, endpoint=risk.name, status=401, model_status=0, reason="Unauthorized"),
    ]
    take(encoded(batch(1, *found, at=now - timedelta(seconds=90))), now=now)
    return risk


def figures(user: User, query: str = "range=15m") -> dict[str, dict[str, object]]:
    answer = visiting(user).get(f"{reverse('endpoints:figures', args=RISK)}?{query}")
    assert answer.status_code == 200
    found: dict[str, dict[str, object]] = json.loads(answer.content)["figures"]
    return found


def test_every_chart_is_a_figure_plotly_understands(olivia: User, busy: OnlineEndpoint) -> None:
    found = figures(olivia)
    assert list(found) == list(CHARTS)
    for figure in found.values():
        data, layout = without_colours(figure["data"]), without_colours(figure["layout"])
        plotly.graph_objects.Figure({"data": data, "layout": layout})


def without_colours(value: object) -> object:
    """The browser puts real colours for the names of ours; here black does."""
    if isinstance(value, dict):
        return {key: without_colours(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_colours(each) for each in value]
    return "#000000" if isinstance(value, str) and value.startswith("var(") else value


def test_every_colour_of_a_chart_is_a_token(olivia: User, busy: OnlineEndpoint) -> None:
    text = json.dumps(figures(olivia))
    named = {part.split(")")[0] for part in text.split("var(--")[1:]}
    assert named
    assert named <= TOKENS.keys()


def test_a_chart_shows_what_was_counted(olivia: User, busy: OnlineEndpoint) -> None:
    data = {trace["name"]: trace for trace in figures(olivia)["requests"]["data"]}  # type: ignore[attr-defined]
    assert {"200", "429", "401"} <= set(data)
    assert max(value for value in data["200"]["y"] if value) == 60.0
    latency = figures(olivia, "range=15m&chart=latency-short")["latency-short"]["data"]
    assert [trace["name"] for trace in latency][:4] == ["blue p50", "blue p99", "green p50", "green p99"]  # type: ignore[attr-defined]


def test_changes_are_marked_on_the_time_axis(olivia: User, busy: OnlineEndpoint) -> None:
    for figure in figures(olivia).values():
        marks = next(trace for trace in figure["data"] if trace["name"] == "changes")  # type: ignore[attr-defined]
        assert len(marks["x"]) == Operation.objects.count()
        assert "Create deployment broken (Failed)" in marks["text"]


def test_one_deployments_charts_leave_the_others_out(olivia: User, busy: OnlineEndpoint) -> None:
    found = figures(olivia, "range=15m&deployment=green&chart=latency")["latency"]
    names = {trace["name"] for trace in found["data"]}  # type: ignore[attr-defined]
    assert "green p50" in names
    assert not any(name.startswith("blue") for name in names)


@pytest.mark.parametrize("chart", [*CHARTS, *TABLES])
def test_every_chart_has_a_table_and_a_csv(chart: str, olivia: User, busy: OnlineEndpoint) -> None:
    client = visiting(olivia)
    page = client.get(reverse("endpoints:metrics", args=RISK), {"table": chart, "range": "15m"})
    assert page.status_code == 200
    answer = client.get(reverse("endpoints:metrics-csv", args=[*RISK, chart]), {"range": "15m"})
    rows = list(csv.reader(answer.text.splitlines()))
    assert rows[0][0] == "time"
    assert all(len(row) == len(rows[0]) for row in rows)
    assert f"diabetes-risk-{chart}-15m.csv" in answer.headers["Content-Disposition"]


def test_the_csv_holds_the_numbers_of_the_chart(olivia: User, busy: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("endpoints:metrics-csv", args=[*RISK, "requests"]), {"range": "15m"})
    head, *rows = list(csv.reader(answer.text.splitlines()))
    assert [row[head.index("200, /min")] for row in rows if row[head.index("200, /min")] != "0"] == ["60"]


def test_the_overview_says_what_happened_in_the_last_minutes(olivia: User, busy: OnlineEndpoint) -> None:
    text = visiting(olivia).get(reverse("endpoints:detail", args=RISK)).text
    assert "<dd>2.4<small>/min</small></dd>" in text
    assert "blue 90.9 %, green 9.1 % of 11 requests; 1 more reached no deployment" in text
    assert 'hx-trigger="every 5s"' in text


def test_the_figures_of_now_bring_the_shares_along(olivia: User, busy: OnlineEndpoint) -> None:
    client = visiting(olivia, **{"HX-Request": "true"})
    text = client.get(reverse("endpoints:kpis", args=RISK)).text
    assert text.lstrip().startswith("<dl")
    assert 'id="traffic-seen" hx-swap-oob="true"' in text


def test_cost_stands_among_the_figures_where_types_have_a_price(olivia: User, risk: OnlineEndpoint) -> None:
    InstanceType.objects.filter(name="Standard_DS3_v2").update(price_per_hour="0.25")
    assert (
        "<dt>Cost</dt><dd>1.50<small>/h</small></dd>"
        in visiting(olivia).get(reverse("endpoints:detail", args=RISK)).text
    )


def test_an_endpoint_nobody_called_says_so(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    assert "No request in the last 5 minutes." in client.get(reverse("endpoints:detail", args=RISK)).text
    assert "Nothing was measured" in client.get(reverse("endpoints:metrics", args=RISK), {"table": "latency"}).text
    assert figures(olivia)["latency"]["isEmpty"] is True


def test_the_list_draws_a_small_line_for_those_that_were_called(olivia: User, busy: OnlineEndpoint) -> None:
    world.endpoint(olivia, "idle")
    text = visiting(olivia).get(reverse("endpoints:list")).text
    assert text.count('class="spark"') == 1
    assert "diabetes-risk: 12 requests in the last hour" in text


@pytest.mark.parametrize(("name", "args"), [("endpoints:metrics", RISK), ("deployments:metrics", BLUE)])
def test_only_pages_with_charts_bring_plotly(name: str, args: list[str], olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    assert "plotly.min.js" in client.get(reverse(name, args=args)).text
    assert "plotly.min.js" not in client.get(reverse("endpoints:list")).text


def test_one_file_of_plotly_is_served_and_no_other() -> None:
    assert finders.find("plotly/plotly.min.js")
    assert finders.find("plotly/widgetbundle.js") is None


def test_the_elements_that_keep_plotlys_styles_away_have_the_ids_it_looks_for() -> None:
    script = Path(str(finders.find("plotly/plotly.min.js"))).read_text()
    page = (Path(__file__).parents[2] / "templates/pages/metrics/scripts.html").read_text()
    style = script.split('document.getElementById("')
    assert any(part[:64] in page and part[64] == '"' for part in style if len(part) > 64 and part[:64].isalnum())
    assert "no-inline-styles" in script


@pytest.mark.parametrize("query", [{"range": "2h"}, {"table": "nothing"}, {"deployment": "nobody", "table": "cpu"}])
def test_a_wish_that_cannot_be_met_is_refused(query: dict[str, str], olivia: User, risk: OnlineEndpoint) -> None:
    assert visiting(olivia).get(reverse("endpoints:metrics", args=RISK), query).status_code in {404, 422}


@pytest.mark.parametrize("name", ["metrics", "figures", "kpis"])
def test_strangers_learn_nothing(name: str, stefan: User, risk: OnlineEndpoint) -> None:
    assert visiting(stefan).get(reverse(f"endpoints:{name}", args=RISK)).status_code == 404
    answer = visiting(stefan).get(reverse("endpoints:metrics-csv", args=[*RISK, "requests"]))
    assert answer.status_code == 404


def test_who_may_score_only_sees_no_metrics(stefan: User, risk: OnlineEndpoint) -> None:
    assign("Endpoint Scorer", stefan)
    assert visiting(stefan).get(reverse("endpoints:metrics", args=RISK)).status_code in {403, 404}


def test_the_most_and_the_least_in_use_are_drawn_and_listed(olivia: User, busy: OnlineEndpoint) -> None:
    start_s = int(time.time()) // 10 * 10 - 60
    InstanceRollup.objects.create(
        grain_s=10, start_s=start_s, endpoint="diabetes-risk", deployment="blue", instance="blue-1", samples=1,
        cpu=4000, memory=3000, gpu_samples=0, gpu=0, gpu_memory=0, peak_cpu=7000, peak_memory=3000,
        peak_spare_cpu=9000, peak_spare_memory=7000,
    )  # fmt: skip
    traces = figures(olivia)["cpu"]["data"]
    assert isinstance(traces, list)
    names = [trace["name"] for trace in traces]
    assert [name for name in names if name in {"most", "least"}] == ["most", "least"]
    url = reverse("endpoints:metrics-csv", args=["diabetes-risk", "cpu"])
    text = visiting(olivia).get(f"{url}?range=15m").text
    assert "most" in text.splitlines()[0] and ",70,10" in text


def test_how_full_disks_are_is_a_table_of_its_own_beside_the_charts(olivia: User, busy: OnlineEndpoint) -> None:
    where = {"grain_s": 10, "start_s": int(time.time()) // 10 * 10 - 60, "endpoint": "diabetes-risk"}
    used = {"samples": 2, "space": 6000, "peak_space": 5000, "peak_spare_space": 9000}
    DiskRollup.objects.create(deployment="blue", instance="blue-1", disk="work", **where, **used)
    client, address = visiting(olivia), reverse("endpoints:metrics", args=RISK)
    assert "table=disk" in client.get(address).text
    page = client.get(address, {"table": "disk", "range": "15m"}).text
    assert ">blue-1 work, %</th>" in page
    text = client.get(reverse("endpoints:metrics-csv", args=[*RISK, "disk"]), {"range": "15m"}).text
    assert ",30,50,10" in text
