"""Lists in pages: the body is the list, `Link` leads to the next page, `X-Total-Count` says how many there are."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.spec.errors import FieldError, Invalid

MAX_LIMIT = 1000


class Pages(LimitOffsetPagination):
    default_limit = 100
    max_limit = MAX_LIMIT
    limit_query_description = f"How many to return, at most {MAX_LIMIT}."
    offset_query_description = "How many to pass over first; the Link header has the next page's."

    def get_limit(self, request: Request) -> int:
        return min(_number(request, self.limit_query_param, default=100, minimum=1), MAX_LIMIT)

    def get_offset(self, request: Request) -> int:
        return _number(request, self.offset_query_param, default=0, minimum=0)

    def get_paginated_response(self, data: Any) -> Response:
        headers = {"X-Total-Count": str(self.count)}
        links = {"next": self.get_next_link(), "prev": self.get_previous_link()}
        if any(links.values()):
            headers["Link"] = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in links.items() if url)
        return Response(data, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema


def _number(request: Request, name: str, *, default: int, minimum: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9 or int(text) < minimum:
        message = f"{text[:40]!r} is not a whole number of at least {minimum}."
        raise Invalid(f"{name}: {message}", details=[FieldError(name, message)])
    return int(text)
