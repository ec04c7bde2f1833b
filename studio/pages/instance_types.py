"""Instance types: what there is, a size of one's own, and what a size stands for."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from endpoints import selectors, services
from endpoints.spec.errors import Conflict, Invalid, NotFound
from studio.access import actions
from studio.access.policy import grants_of, require
from studio.forms.fields import add_domain_errors
from studio.forms.quota import InstanceTypeForm
from studio.pages.answers import Request, form_page, go, page
from studio.pages.lists import matching, words_of


@require_GET
def type_list(request: Request) -> HttpResponse:
    rows = selectors.instance_types(request.user)
    words = words_of(request)
    context = {
        "types": matching(rows, words, "name", "family", "gpu_model"),
        "words": words,
        "may_write": grants_of(request.user).allows(actions.QUOTA_WRITE),
    }
    return page(request, "pages/quota/types.html", context, fragment="rows")


@require_http_methods(["GET", "POST"])
def type_add(request: Request) -> HttpResponse:
    require(request.user, actions.QUOTA_WRITE)
    form = InstanceTypeForm(request.POST or None)
    if form.is_valid():
        try:
            services.add_instance_type(request.user, name=form.cleaned_data["name"], values=form.values())
        except (Invalid, Conflict) as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse("quota:types"))
    context = {
        "title": "Add an instance type",
        "intro": "A name for so many cores and so much memory of this machine, counted against its family's limit.",
        "submit": "Add",
        "back": reverse("quota:types"),
    }
    return form_page(request, "pages/form.html", context, form=form)


@require_http_methods(["GET", "POST"])
def type_edit(request: Request, name: str) -> HttpResponse:
    require(request.user, actions.QUOTA_WRITE)
    row = selectors.instance_types(request.user).filter(name__iexact=name).first()
    if row is None:
        raise NotFound(f"There is no instance type {name!r}.")
    form = InstanceTypeForm(
        request.POST or None, initial={key: getattr(row, key) for key in InstanceTypeForm.base_fields}
    )
    del form.fields["name"]
    if form.is_valid():
        try:
            services.change_instance_type(request.user, name=name, values=form.values())
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            return go(request, reverse("quota:types"))
    context = {
        "title": f"Edit {row.name}",
        "intro": "Deployments that use it count by the new numbers at once; none restarts.",
        "submit": "Save",
        "back": reverse("quota:types"),
    }
    return form_page(request, "pages/form.html", context, form=form)
