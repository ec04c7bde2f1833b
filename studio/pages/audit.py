"""What people did: filtered, and exported with the same filter."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET

from endpoints import selectors
from studio.access import audit
from studio.access.audit import records_for
from studio.access.models import AuditRecord
from studio.pages.answers import Request, page
from studio.pages.lists import matching, page_of, words_of

COLUMNS = ("at", "actor", "action", "target", "summary", "refused", "address", "door", "before", "after")
OUTCOMES = (("done", "Done"), ("refused", "Refused"))
KINDS = (("changes", "Changes and keys shown"), ("sign-ins", "Sign-ins"))
MOST_EXPORTED = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_GET
def audit_log(request: Request) -> HttpResponse:
    rows = records_for(request.user)
    context = {
        "page": page_of(request, _chosen(rows, request)),
        "words": words_of(request),
        "outcomes": OUTCOMES,
        "outcome": request.GET.get("outcome", ""),
        "kinds": KINDS,
        "kind": request.GET.get("kind", ""),
        "kept_days": selectors.setting("audit_days"),
        "since": request.GET.get("since", ""),
        "query": request.GET.urlencode(),
    }
    return page(request, "pages/operations/audit.html", context, fragment="rows")


def _chosen(rows: QuerySet[AuditRecord], request: HttpRequest) -> QuerySet[AuditRecord]:
    """Those the query asks for; what it does not understand does not narrow them."""
    found = matching(rows, words_of(request), "actor", "action", "target", "summary", "address")
    outcome = request.GET.get("outcome", "")
    if outcome in dict(OUTCOMES):
        found = found.filter(is_refused=outcome == "refused")
    match request.GET.get("kind", ""):
        case "sign-ins":
            found = found.filter(action__in=audit.SIGNING_IN)
        case "changes":
            found = found.exclude(action__in=audit.SIGNING_IN)
    try:
        since = parse_date(request.GET.get("since", ""))
    except ValueError:
        since = None
    return found.filter(at__date__gte=since) if since else found


@require_GET
def audit_csv(request: Request) -> HttpResponse:
    """The same rows as a table; of very many the newest."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="activity.csv"'
    table = csv.writer(answer)
    table.writerow(COLUMNS)
    for row in _chosen(records_for(request.user), request)[:MOST_EXPORTED].iterator(chunk_size=500):
        table.writerow([_inert(text) for text in _texts(row)])
    return answer


def _texts(row: AuditRecord) -> Iterator[str]:
    yield from (row.at.isoformat(), row.actor, row.action, row.target, row.summary)
    yield from ("yes" if row.is_refused else "no", row.address, row.door)
    yield from (json.dumps(state) if state is not None else "" for state in (row.before, row.after))


def _inert(text: str) -> str:
    """A spreadsheet must not take what somebody typed for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
