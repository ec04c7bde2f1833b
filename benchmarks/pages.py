"""How long the pages people live on take on the server, and how many SQL statements, with 1,000 endpoints.

Twenty deployments of ten endpoints have rollups of every grain for as long as they are kept. Measured on SQLite, and on
PostgreSQL where SLIPWAY_TEST_DATABASE_URL names a server whose user may create databases. 95th percentiles.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out" / "pages.json"
ENDPOINTS, MEASURED = 1000, 10
DEPLOYMENTS = ("blue", "green")
REQUESTS = 40
DAY_S = 86400
PERSON = "olga"


def main() -> None:
    """Measure on every database there is, each in a process of its own."""
    rows = []
    urls = {"SQLite": "", "PostgreSQL": os.environ.get("SLIPWAY_TEST_DATABASE_URL", "")}
    for name, url in urls.items():
        if name == "PostgreSQL" and not url:
            print("PostgreSQL is left out: SLIPWAY_TEST_DATABASE_URL names no server")
            continue
        with tempfile.TemporaryDirectory() as home:
            environ = {**os.environ, "SLIPWAY_HOME": home, "DJANGO_SETTINGS_MODULE": "studio.settings"}
            environ |= {"SLIPWAY_DATABASE_URL": url} if url else {}
            command = [sys.executable, "-m", "benchmarks.pages", name]
            done = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
        rows += json.loads(done.stdout.splitlines()[-1])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def measure(database: str) -> list[dict[str, Any]]:
    """Fill a database of its own, ask for the pages, and drop it again."""
    from django.conf import settings

    import_module("studio.asgi")  # the web process as it starts
    settings.ALLOWED_HOSTS = ["*"]
    from django.test.utils import setup_databases, teardown_databases

    kept = setup_databases(verbosity=0, interactive=False)
    try:
        begun = time.monotonic()
        fill()
        print(f"{database}: filled in {time.monotonic() - begun:.0f} s", flush=True)
        return [
            row
            for what, ask, limit_ms, limit_sql in pages()
            for row in figures(database, what, ask, limit_ms, limit_sql)
        ]
    finally:
        teardown_databases(kept, verbosity=0)


def fill() -> None:
    """The rows, written past the services: what is measured is reading."""
    from endpoints.models import DeploymentRevision, OnlineDeployment, OnlineEndpoint
    from studio.access.models import User

    User.objects.create_superuser(PERSON, password="-")
    names = [f"endpoint-{number:04}" for number in range(ENDPOINTS)]
    split = {"blue": 90, "green": 10}
    rows = [OnlineEndpoint(name=name, traffic=split, observed_generation=1, tags={"team": "risk"}) for name in names]
    parents = OnlineEndpoint.objects.bulk_create(rows, batch_size=500)
    born = parents[0].created_at.fromtimestamp(time.time() - 40 * DAY_S, tz=parents[0].created_at.tzinfo)
    OnlineEndpoint.objects.update(created_at=born)
    ready = {"observed_generation": 1, "observed_revision": 1, "ready_instances": 1}
    children = OnlineDeployment.objects.bulk_create(
        [
            OnlineDeployment(endpoint=parent, name=name, instance_type="Standard_DS3_v2", colour=place, **ready)
            for parent in parents
            for place, name in enumerate(DEPLOYMENTS)
        ],
        batch_size=500,
    )
    DeploymentRevision.objects.bulk_create(
        [DeploymentRevision(deployment=child, number=1, spec={}) for child in children], batch_size=500
    )
    fill_rollups(names[:MEASURED])
    fill_operations(names[:MEASURED])
    learn()


def learn() -> None:
    """PostgreSQL looks at its tables by itself sooner or later; here it does at once."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def fill_operations(names: list[str]) -> None:
    """A change every six hours."""
    from datetime import timedelta

    from django.utils import timezone

    from endpoints.models import Operation

    for name in names:
        Operation.objects.bulk_create(
            [
                Operation(kind="UpdateEndpoint", endpoint_name=name, state="Succeeded", summary="Set traffic")
                for _ in range(120)
            ]
        )
    for place, row in enumerate(Operation.objects.filter(endpoint_name__in=names)):
        row.created_at = timezone.now() - timedelta(hours=6 * (place % 120))
        row.save(update_fields=["created_at"])


def fill_rollups(names: list[str]) -> None:
    """Every slot of every grain for as long as it is kept, thirty days at most."""
    from endpoints.models import CapacityRollup, GaugeRollup, InstanceRollup, TrafficRollup
    from endpoints.telemetry.rollups import KEPT_S

    source = random.Random(1)
    histograms = [histogram(source, 200) for _ in range(32)]
    now = int(time.time())

    def slots() -> Iterator[tuple[int, int, str, str]]:
        for grain_s, kept_s in KEPT_S.items():
            for start_s in range((now - min(kept_s, 30 * DAY_S)) // grain_s * grain_s, now, grain_s):
                for name in names:
                    for deployment in DEPLOYMENTS:
                        yield grain_s, start_s, name, deployment

    def traffic() -> Iterator[tuple[Any, ...]]:
        for grain_s, start_s, name, deployment in slots():
            packed = source.choice(histograms)
            for status in (200, 424):
                yield (grain_s, start_s, name, deployment, status, status, "", False, 200, 9000, 9000, packed, packed)

    insert(TrafficRollup, traffic())
    insert(GaugeRollup, ((*slot, grain * 900, 0, 3, 0, 8) for slot in slots() for grain in slot[:1]))
    numbers = (1, 4000, 3000, *[0] * 5, 5000, 3000, 6000, 7000, *[0] * 4)
    insert(InstanceRollup, ((*slot, f"{slot[3]}-0123abcd", *numbers) for slot in slots()))
    insert(CapacityRollup, ((*slot, "Ready", 1) for slot in slots()))


def histogram(source: random.Random, count: int) -> bytes:
    """Durations as a model has them."""
    from endpoints.spec.histogram import Histogram
    from endpoints.telemetry.packing import pack

    found = Histogram()
    for _ in range(count):
        found.add(source.lognormvariate(-4.5, 0.5))
    return pack(found)


def insert(model: Any, rows: Iterator[tuple[Any, ...]]) -> None:
    """Past the ORM: there are hundreds of thousands of rows."""
    from django.db import connection, transaction

    columns = ["grain_s", "start_s", *model.KEY, *model.SUMS, *model.PEAKS, *model.HISTOGRAMS]
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(map(connection.ops.quote_name, columns))
    marks = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    with transaction.atomic(), connection.cursor() as cursor:
        while some := [row for row, _ in zip(rows, range(5000), strict=False)]:
            cursor.executemany(statement, some)


Ask = Callable[[Any, str], None]


def pages() -> list[tuple[str, Ask, float, int]]:
    """What is asked for: its name, how, the milliseconds and the statements it may take."""

    def get(*paths: str) -> Ask:
        def ask(client: Any, name: str) -> None:
            for path in paths:
                answer = client.get(path.format(name=name))
                assert answer.status_code == 200, (path, answer.status_code)

        return ask

    metrics = "/endpoints/{name}/metrics/"
    return [
        ("endpoints list", get("/endpoints/"), 150, 15),
        ("endpoint page", get("/endpoints/{name}/"), 100, 25),
        ("metrics page and its ten charts, 1 h", get(metrics, f"{metrics}figures?range=1h"), 100, 25),
        ("ten charts, 24 h", get(f"{metrics}figures?range=24h"), 250, 25),
        ("ten charts, 30 days", get(f"{metrics}figures?range=30d"), 250, 25),
    ]


def figures(database: str, what: str, ask: Ask, limit_ms: float, limit_sql: int) -> list[dict[str, Any]]:
    """The 95th percentile of the time, and the most statements."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from studio.access.models import User

    client = Client()
    client.force_login(User.objects.get(username=PERSON))
    taken = []
    ask(client, "endpoint-0000")
    for number in range(REQUESTS):
        begun = time.perf_counter()
        ask(client, f"endpoint-{number % MEASURED:04}")
        taken.append((time.perf_counter() - begun) * 1000)
    with CaptureQueriesContext(connection) as queries:
        ask(client, "endpoint-0003")
    p95_ms = sorted(taken)[int(0.95 * len(taken))]
    name = f"{what} ({database})"
    return [
        {"what": f"{name}, ms", "ratio": p95_ms, "target": limit_ms, "better": "lower"},
        {"what": f"{name}, SQL statements", "ratio": len(queries), "target": limit_sql, "better": "lower"},
    ]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
