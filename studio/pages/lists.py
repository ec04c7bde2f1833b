"""What lists share: pages of rows and the words somebody searched for."""

from __future__ import annotations

from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

PER_PAGE = 50

Row = TypeVar("Row", bound=Model)


def page_of(request: HttpRequest, rows: QuerySet[Row], *, per_page: int = PER_PAGE) -> Page[Row]:
    """The page the query's `page` asks for; the nearest there is where it asks for none such."""
    return Paginator(rows, per_page).get_page(request.GET.get("page"))


def words_of(request: HttpRequest) -> str:
    """What was typed into the list's search field."""
    return request.GET.get("q", "").strip()


def matching(rows: QuerySet[Row], words: str, *fields: str) -> QuerySet[Row]:
    """The rows in which every one of the words stands in at least one of the fields."""
    for word in words.split():
        any_field = Q()
        for field in fields:
            any_field |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(any_field)
    return rows
