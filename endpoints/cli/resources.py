"""Azure's resource ids, as far as they name endpoints and deployments."""

from __future__ import annotations

import re
from typing import NamedTuple

ID = re.compile(r"/onlineEndpoints/(?P<endpoint>[^/]+)(?:/deployments/(?P<deployment>[^/]+))?/?$", re.IGNORECASE)


class Place(NamedTuple):
    """What a resource names, in lower case; deployment: "" for an endpoint."""

    endpoint: str
    deployment: str


def place_of(resource: str | None, endpoint_name: str | None) -> Place:
    """Of a resource id, of `<endpoint>/<deployment>`, or of two flags. Unchecked: they may be empty or hold slashes."""
    text = (resource or "").strip()
    if match := ID.search(text):
        endpoint, deployment = match["endpoint"], match["deployment"] or ""
    elif endpoint_name and "/" not in text:
        endpoint, deployment = endpoint_name, text
    else:
        endpoint, _, deployment = text.partition("/")
    return Place(endpoint.lower(), deployment.lower())
