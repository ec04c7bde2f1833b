"""Logs of deployments and builds: as a page, followed live, and as plain text to keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from endpoints import selectors
from endpoints.models import EnvironmentVersion, OnlineDeployment
from endpoints.selectors.logs import CONTAINERS, Sources
from endpoints.spec.chunks import in_threads
from endpoints.spec.errors import SlipwayError
from endpoints.spec.loglines import LEVELS, LogFilter, LogLine, render
from studio.access.models import User
from studio.pages import deployments as deployment_pages
from studio.pages import endpoints as endpoint_pages
from studio.pages.answers import Request, page, signed_in
from studio.pages.environments import UNDER_WAY
from studio.pages.errors import domain_error
from studio.pages.streams import event_stream

SHOWN_LINES = 200
FOLLOWED_LINES = 500
# How far back, as the address says it: minutes, and the words for a person.
SPANS = {
    "5m": (5, "Last 5 minutes"),
    "15m": (15, "Last 15 minutes"),
    "1h": (60, "Last hour"),
    "1d": (24 * 60, "Last day"),
    "7d": (7 * 24 * 60, "Last 7 days"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the query asks for. "" lets everything pass."""

    instance: str
    container: str
    level: str
    text: str
    request: str
    span: str

    def where(self) -> LogFilter:
        return LogFilter(level=self.level, text=self.text, request_id=self.request, since=self.since())

    def since(self) -> datetime | None:
        return timezone.now() - timedelta(minutes=SPANS[self.span][0]) if self.span else None

    def query(self) -> str:
        return urlencode({key: value for key, value in asdict(self).items() if value})

    def is_picky(self) -> bool:
        """Whether there may be lines that it leaves out."""
        return bool(self.instance or self.level or self.text or self.request or self.span)


def wish_of(request: HttpRequest) -> Wish:
    """Levels, containers and spans there are none of count as not asked for."""
    container, level = request.GET.get("container", ""), request.GET.get("level", "").upper()
    span = request.GET.get("span", "")
    return Wish(
        instance=request.GET.get("instance", ""),
        container=container if container in CONTAINERS else CONTAINERS[0],
        level=level if level in LEVELS else "",
        text=request.GET.get("text", "").strip(),
        request=request.GET.get("request", "").strip(),
        span=span if span in SPANS else "",
    )


@require_GET
def deployment_logs(request: Request, endpoint: str, name: str) -> HttpResponse:
    context = deployment_pages.frame(request.user, endpoint, name, "logs")
    deployment = selectors.get_deployment(request.user, endpoint, name)
    context |= _log_context(request.user, deployment, wish_of(request))
    return page(request, "pages/deployments/logs.html", context)


@require_GET
def endpoint_logs(request: Request, name: str) -> HttpResponse:
    """The same for the chosen deployment of an endpoint, the first one until one is chosen."""
    context = endpoint_pages.frame(request.user, name, "logs")
    rows = list(selectors.deployments_of(request.user, name))
    chosen = next((one for one in rows if one.name == request.GET.get("deployment")), rows[0] if rows else None)
    context |= {"deployments": rows, "deployment": chosen}
    if chosen is not None:
        context |= _log_context(request.user, chosen, wish_of(request))
    return page(request, "pages/endpoints/logs.html", context)


def _log_context(user: User, deployment: OnlineDeployment, wish: Wish) -> dict[str, object]:
    lines = selectors.deployment_logs(
        user,
        deployment,
        instance_id=wish.instance,
        container=wish.container,
        level=wish.level,
        text=wish.text,
        request_id=wish.request,
        since=wish.since(),
        lines=SHOWN_LINES,
    )
    address = [deployment.endpoint.name, deployment.name]
    return {
        "lines": list(lines),
        "wish": wish,
        "dropped": selectors.dropped_logs(user, deployment),
        "levels": LEVELS,
        "spans": [(span, words) for span, (_, words) in SPANS.items()],
        "request_url": f"?{urlencode({'deployment': deployment.name, 'container': wish.container, 'request': ''})}",
        "containers": CONTAINERS,
        "instances": selectors.instances_of(user, deployment, include_ended=True).order_by("-created_at")[:50],
        "stream_url": f"{reverse('deployments:log-stream', args=address)}?{wish.query()}",
        "text_url": f"{reverse('deployments:log-text', args=address)}?{wish.query()}",
    }


async def deployment_stream(request: Request, endpoint: str, name: str) -> HttpResponseBase:
    """Follows the log for as long as the page is open."""
    wish = wish_of(request)
    user = await signed_in(request)

    def sources() -> Sources:
        deployment = selectors.get_deployment(user, endpoint, name)
        return selectors.log_sources(user, deployment, instance_id=wish.instance, container=wish.container)

    try:
        found = await sync_to_async(sources)()
    except SlipwayError as error:
        return await sync_to_async(domain_error)(request, error)
    return event_stream(found, where=wish.where(), lines=FOLLOWED_LINES)


async def build_stream(request: Request, name: str, version: str) -> HttpResponseBase:
    """Follows a build until it has ended."""
    user = await signed_in(request)

    def find() -> tuple[EnvironmentVersion, Sources]:
        row = selectors.get_environment_version(user, name, version)
        return row, selectors.build_log_sources(user, row)

    try:
        row, sources = await sync_to_async(find)()
    except SlipwayError as error:
        return await sync_to_async(domain_error)(request, error)
    is_over = partial(_is_built, user, row)
    return event_stream(sources, where=LogFilter(), lines=FOLLOWED_LINES, is_over=is_over)


def _is_built(user: User, row: EnvironmentVersion) -> bool:
    build = selectors.build_of(user, row)
    return build is not None and build.state not in UNDER_WAY


@require_GET
def deployment_text(request: Request, endpoint: str, name: str) -> StreamingHttpResponse:
    """All lines that match, in Azure's text form, as a file."""
    wish = wish_of(request)
    deployment = selectors.get_deployment(request.user, endpoint, name)
    lines = selectors.deployment_logs(
        request.user,
        deployment,
        instance_id=wish.instance,
        container=wish.container,
        level=wish.level,
        text=wish.text,
        request_id=wish.request,
        since=wish.since(),
    )
    return _text(lines, f"{endpoint}-{name}-{wish.container}.log")


@require_GET
def build_text(request: Request, name: str, version: str) -> StreamingHttpResponse:
    row = selectors.get_environment_version(request.user, name, version)
    return _text(selectors.build_log(request.user, row), f"{name}-{version}-build.log")


def _text(lines: Iterable[LogLine], file_name: str) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for line in lines:
            yield f"{render(line)}\n".encode()

    disposition = str(content_disposition_header(as_attachment=False, filename=file_name))
    headers = {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(in_threads(chunks()), content_type="text/plain; charset=utf-8", headers=headers)
