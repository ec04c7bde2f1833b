"""Cores by family: what is used, kept back and free; limits to edit, what-if, CSV, and the workspace's other limits."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.forms import BoundField
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from endpoints import selectors, services
from endpoints.selectors import DeploymentUsage, FamilyUsage, LimitUsage
from endpoints.spec.errors import Invalid
from endpoints.spec.studio_settings import SETTINGS, Setting
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require
from studio.forms.fields import add_domain_errors
from studio.forms.quota import LimitsForm, WhatIfForm
from studio.pages.answers import Request, go, page
from studio.pages.lists import page_of

SHOWN_CHANGES = 5
SHOWN_LOANS = 50
COLUMNS = ("family", "endpoint", "deployment", "instance_type", "instances", "in_use", "reserved", "free", "limit")
POOL_COLUMNS = ("pool", "lent")


@dataclass(frozen=True, slots=True)
class Bar:
    """Shares of a limit in percent."""

    used: float
    reserved: float

    @classmethod
    def of(cls, used_cores: int, reserved_cores: int, limit_cores: int) -> Bar:
        limit = max(limit_cores, 1)
        used = min(100.0, 100 * used_cores / limit)
        return cls(round(used, 1), round(min(100.0 - used, 100 * reserved_cores / limit), 1))


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family with its bar and its deployments with theirs. field: to edit the limit, None for who may not."""

    usage: FamilyUsage
    bar: Bar
    deployments: tuple[tuple[DeploymentUsage, Bar], ...]
    is_exempt: bool
    field: BoundField | None
    pool_field: BoundField | None = None

    @property
    def is_full(self) -> bool:
        return self.usage.free_cores == 0 and self.usage.used_cores > 0


@dataclass(frozen=True, slots=True)
class LimitRow:
    setting: Setting
    usage: LimitUsage

    @property
    def bar(self) -> Bar:
        return Bar.of(self.usage.used or 0, 0, self.usage.limit)


@require_http_methods(["GET", "POST"])
def quota(request: Request) -> HttpResponse:
    """A POST saves all limits at once, or none of them."""
    usages = selectors.quota_usage(request.user)
    may_write = grants_of(request.user).allows(actions.QUOTA_WRITE)
    form = None
    if request.method == "POST":
        require(request.user, actions.QUOTA_WRITE)
        form = _limits_form(usages, request.POST)
        if form.is_valid():
            try:
                services.set_family_limits(request.user, limits=form.limits(), pools=form.pools())
            except Invalid as error:
                add_domain_errors(form, error)
            else:
                messages.success(request, "Limits saved.")
                return go(request, reverse("quota"))
    elif may_write:
        form = _limits_form(usages)
    context = _context(request.user, usages, form, may_write=may_write)
    return page(request, "pages/quota/overview.html", context, status=422 if form and form.is_bound else 200)


def _limits_form(usages: list[FamilyUsage], data: QueryDict | None = None) -> LimitsForm:
    limits = {usage.family: usage.limit_cores for usage in usages}
    return LimitsForm(data, limits=limits, pools={usage.family: usage.pool_cores for usage in usages})


def _context(user: User, usages: list[FamilyUsage], form: LimitsForm | None, *, may_write: bool) -> dict[str, object]:
    types = list(selectors.instance_types(user))
    exempt = {row.family for row in types if row.is_exempt}
    rows = [_row(usage, form, is_exempt=usage.family in exempt) for usage in usages]
    return {
        "rows": sorted(rows, key=lambda row: not row.usage.used_cores),
        "form": form,
        "may_write": may_write,
        "has_reservation": selectors.has_reservation(),
        "what_if_form": WhatIfForm(types=[row.name for row in types]),
        "requests": list(selectors.quota_requests(user)[:10]),
        "changes": list(selectors.quota_history(user)[:SHOWN_CHANGES]),
        "limits": [LimitRow(SETTINGS[one.name], one) for one in selectors.limits_usage(user)],
        "type_count": len(types),
        "pools": [usage for usage in usages if usage.pool_cores or usage.lent_cores],
        "loans": list(selectors.loans_for(user)[:SHOWN_LOANS]),
        "longest_loan_h": selectors.setting("pool_longest_loan_h"),
    }


def _row(usage: FamilyUsage, form: LimitsForm | None, *, is_exempt: bool) -> FamilyRow:
    limit = usage.limit_cores
    return FamilyRow(
        usage=usage,
        bar=Bar.of(usage.used_cores, usage.reserved_cores, limit),
        deployments=tuple((one, Bar.of(one.cores, one.reserved_cores, limit)) for one in usage.deployments),
        is_exempt=is_exempt,
        field=form[f"limit-{usage.family}"] if form else None,
        pool_field=form[f"pool-{usage.family}"] if form else None,
    )


@require_GET
def what_if(request: Request) -> HttpResponse:
    """What one more deployment would take."""
    require(request.user, actions.QUOTA_READ)
    names = [row.name for row in selectors.instance_types(request.user)]
    form = WhatIfForm(request.GET or None, types=names)
    context: dict[str, object] = {"what_if_form": form}
    if form.is_valid():
        context["what_if"] = selectors.what_if(request.user, **form.cleaned_data)
    return page(request, "pages/quota/what_if.html", context, fragment="calculator")


@require_GET
def quota_csv(request: Request) -> HttpResponse:
    """A line per family, and one per deployment below it."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="quota.csv"'
    table = csv.DictWriter(answer, COLUMNS + POOL_COLUMNS)
    table.writeheader()
    for usage in selectors.quota_usage(request.user):
        table.writerow(_family_line(usage))
        table.writerows(_deployment_line(usage.family, one) for one in usage.deployments)
    return answer


def _family_line(usage: FamilyUsage) -> Mapping[str, object]:
    return {
        "family": usage.family,
        "in_use": usage.used_cores,
        "reserved": usage.reserved_cores,
        "free": usage.free_cores,
        "limit": usage.limit_cores,
        "pool": usage.pool_cores,
        "lent": usage.lent_cores,
    }


def _deployment_line(family: str, one: DeploymentUsage) -> Mapping[str, object]:
    return {
        "family": family,
        "endpoint": one.endpoint,
        "deployment": one.deployment,
        "instance_type": one.instance_type,
        "instances": one.instance_count,
        "in_use": one.cores,
        "reserved": one.reserved_cores,
    }


@require_GET
def quota_history(request: Request) -> HttpResponse:
    """Every change of a limit."""
    context = {"page": page_of(request, selectors.quota_history(request.user))}
    return page(request, "pages/quota/history.html", context)
