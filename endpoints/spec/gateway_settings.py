"""`gateway_settings` of endpoints and deployments: how the gateway treats callers. Ours, not Azure's; all optional."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from endpoints.spec.routes import MAX_PAYLOAD_BYTES
from endpoints.spec.schema import Integer, ListOf, Problem, Shape, Text, rule, to_json

# What the gateway's counters and the table's whole numbers surely hold.
MOST_REQUESTS_PER_SECOND = 1_000_000
MOST_BYTES_PER_SECOND = 1024**3
MOST_PAYLOAD_BYTES = 64 * 1024**3

_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:\d{1,5})?/?", re.IGNORECASE)


def origin_problem(origin: str) -> str | None:
    """What is wrong with a page's origin as browsers send it: scheme, host and port, nothing more."""
    if origin == "*" or (len(origin) <= 255 and _ORIGIN.fullmatch(origin)):
        return None
    return f"{origin[:80]!r} is no origin; write it like https://app.example.org, or * for every page."


def _header_problem(name: str) -> str | None:
    return None if _HEADER.fullmatch(name) else f"{name[:80]!r} is not the name of a header."


def _field_problem(path: str) -> str | None:
    if len(path) <= 255 and all(path.split(".")):
        return None
    return f"{path[:80]!r} is not a field of a JSON body; write it like user.id."


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficKey(Shape):
    """Where the value stands that keeps a caller at one deployment: in a header, or in a field of the JSON body."""

    header: Annotated[str | None, Text(_header_problem)] = None
    json: Annotated[str | None, Text(_field_problem)] = None

    @rule("header", "json")
    def is_one_of_both(self) -> Iterator[Problem]:
        if (self.header is None) == (self.json is None):
            yield "header", "Give either 'header' or 'json'."


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointGatewaySettings(Shape):
    """What the gateway does for one endpoint beyond Azure's contract. No origins: browsers' pages may not call it."""

    cors_origins: Annotated[tuple[str, ...], ListOf(Text(origin_problem))] = ()
    traffic_key: TrafficKey | None = None
    requests_per_second: Annotated[int, Integer(minimum=0, maximum=MOST_REQUESTS_PER_SECOND)] = 0  # 0: no limit
    bytes_per_second: Annotated[int, Integer(minimum=0, maximum=MOST_BYTES_PER_SECOND)] = 0  # 0: no limit
    max_payload_bytes: Annotated[int, Integer(minimum=1, maximum=MOST_PAYLOAD_BYTES, zero_means=MAX_PAYLOAD_BYTES)] = (
        MAX_PAYLOAD_BYTES
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentGatewaySettings(Shape):
    """retry: whether a request whose connection broke before an answer began is tried once more elsewhere."""

    retry: bool = True


def without_defaults(settings: EndpointGatewaySettings | DeploymentGatewaySettings) -> dict[str, Any]:
    """What was chosen, as plain JSON: equal settings are equal there however they were written."""
    usual = type(settings)()
    chosen = (field.name for field in dataclasses.fields(settings))
    return {
        name: to_json(getattr(settings, name)) for name in chosen if getattr(settings, name) != getattr(usual, name)
    }
