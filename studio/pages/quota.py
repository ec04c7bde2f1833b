"""Cores by family: what is used, what is kept back, what is free. Read only."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from endpoints import selectors
from endpoints.selectors import FamilyUsage
from studio.pages.answers import Request, page


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family with its bars, in percent of its limit."""

    usage: FamilyUsage
    used_percent: float
    reserved_percent: float

    @property
    def is_full(self) -> bool:
        return self.usage.free_cores == 0 and self.usage.used_cores > 0


@require_GET
def quota(request: Request) -> HttpResponse:
    rows = [_row(usage) for usage in selectors.quota_usage(request.user)]
    in_use = [row for row in rows if row.usage.used_cores]
    idle = [row for row in rows if not row.usage.used_cores]
    return page(request, "pages/quota.html", {"rows": in_use + idle})


def _row(usage: FamilyUsage) -> FamilyRow:
    limit = max(usage.limit_cores, 1)
    used = min(100.0, 100 * usage.used_cores / limit)
    reserved = min(100.0 - used, 100 * usage.reserved_cores / limit)
    return FamilyRow(usage, round(used, 1), round(reserved, 1))
