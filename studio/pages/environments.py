"""Environments: the list, one version with its build and the build's log, registering, archive."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import EnvironmentVersion
from endpoints.spec.errors import Conflict, Invalid, LimitExceeded
from studio.access import actions
from studio.access.policy import grants_of, require
from studio.forms.environments import EnvironmentForm
from studio.forms.fields import WordsForm, add_domain_errors
from studio.pages.answers import Request, form_page, go, page, polled
from studio.pages.lists import matching, page_of, words_of

UNDER_WAY = ("Queued", "Building")


@require_GET
def environment_list(request: Request) -> HttpResponse:
    archived = "archived" in request.GET
    rows = selectors.environments_for(request.user, include_archived=archived)
    words = words_of(request)
    context = {
        "page": page_of(request, matching(rows, words, "environment__name", "description", "tags")),
        "words": words,
        "archived": archived,
        "may_write": grants_of(request.user).allows(actions.ENVIRONMENTS_WRITE),
    }
    return page(request, "pages/environments/list.html", context, fragment="rows")


@require_GET
def environment_detail(request: Request, name: str, version: str = "latest") -> HttpResponse:
    versions = list(selectors.environment_versions(request.user, name))
    if version == "latest":
        row = next((one for one in versions if one.archived_at is None), versions[0])
    else:
        row = selectors.get_environment_version(request.user, name, version)
    build = selectors.build_of(request.user, row)
    grants = grants_of(request.user)
    users = selectors.deployments_using(request.user, environment_name=name, environment_version=row.version)
    context = {
        "row": row,
        "versions": versions,
        "build": build,
        "is_asked_python": build is not None and _is_within(build.python_used, build.python_requested),
        "users": users,
        "may_write": grants.allows(actions.ENVIRONMENTS_WRITE),
        "may_delete": grants.allows(actions.ENVIRONMENTS_DELETE),
    }
    is_settled = build is None or build.state not in UNDER_WAY
    return polled(request, "pages/environments/detail.html", context, fragment="build", is_settled=is_settled)


def _is_within(used: str, requested: str) -> bool:
    """Whether 3.11.7 is what was asked for as 3.11."""
    return used == requested or used.startswith(f"{requested}.")


@require_http_methods(["GET", "POST"])
def environment_register(request: Request) -> HttpResponse:
    require(request.user, actions.ENVIRONMENTS_WRITE)
    template = "pages/environments/register.html"
    if request.method == "GET":
        return form_page(request, template, {}, form=EnvironmentForm(initial={"name": request.GET.get("name", "")}))
    form = EnvironmentForm(request.POST, request.FILES)
    if form.is_valid():
        asked = form.cleaned_data
        try:
            row = services.register_environment(
                request.user,
                name=asked["name"],
                version=asked["version"] or None,
                image=asked["image"],
                conda_text=asked["conda_text"],
                requirements=asked["requirements"],
                description=asked["description"],
                tags=asked["tags"],
            )
        except (Invalid, Conflict, LimitExceeded) as error:
            add_domain_errors(form, error, names={"conda_file": "conda_text", "conda": "conda_text"})
        else:
            messages.success(request, f"Registered {row}.")
            return go(request, address(row))
    return form_page(request, template, {}, form=form)


@require_http_methods(["GET", "POST"])
def environment_edit(request: Request, name: str, version: str) -> HttpResponse:
    require(request.user, actions.ENVIRONMENTS_WRITE)
    row = selectors.get_environment_version(request.user, name, version)
    form = WordsForm(request.POST or None, initial={"description": row.description, "tags": row.tags})
    if form.is_valid():
        try:
            services.update_environment(request.user, name=name, version=version, **form.cleaned_data)
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            return go(request, address(row))
    context = {"title": f"Edit {row}", "submit": "Save", "back": address(row)}
    return form_page(request, "pages/form.html", context, form=form)


@require_POST
def environment_build(request: Request, name: str, version: str) -> HttpResponse:
    services.request_build(request.user, name=name, version=version)
    return go(request, reverse("environments:version", args=[name, version]))


@require_POST
def environment_archive(request: Request, name: str, version: str) -> HttpResponse:
    services.archive_environment(request.user, name=name, version=version)
    messages.success(request, f"Archived {name}:{version}. Deployments that use it go on; new ones cannot choose it.")
    return go(request, reverse("environments:version", args=[name, version]))


@require_POST
def environment_restore(request: Request, name: str, version: str) -> HttpResponse:
    services.restore_environment(request.user, name=name, version=version)
    messages.success(request, f"Restored {name}:{version}.")
    return go(request, reverse("environments:version", args=[name, version]))


def address(row: EnvironmentVersion) -> str:
    """The page of one version."""
    return reverse("environments:version", args=[row.environment.name, row.version])
