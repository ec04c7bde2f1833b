"""Models: the list, one version with its neighbours, registering, words about it, archive and download."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import ModelVersion
from endpoints.spec.chunks import in_threads
from endpoints.spec.errors import Conflict, Invalid, LimitExceeded, NotFound
from studio.access import actions
from studio.access.policy import grants_of, require
from studio.forms.fields import WordsForm, add_domain_errors
from studio.forms.models import ModelForm
from studio.pages.answers import Request, form_page, go, page
from studio.pages.lists import matching, page_of, words_of


@require_GET
def model_list(request: Request) -> HttpResponse:
    archived = "archived" in request.GET
    rows = selectors.models_for(request.user, include_archived=archived)
    words = words_of(request)
    found = matching(rows, words, "model__name", "description", "tags")
    context = {
        "page": page_of(request, found),
        "words": words,
        "archived": archived,
        "may_write": grants_of(request.user).allows(actions.MODELS_WRITE),
    }
    return page(request, "pages/models/list.html", context, fragment="rows")


@require_GET
def model_detail(request: Request, name: str, version: str = "latest") -> HttpResponse:
    if version == "latest":
        versions = list(selectors.model_versions(request.user, name))
        row = next((one for one in versions if one.archived_at is None), versions[0])
    else:
        row = selectors.get_model_version(request.user, name, version)
        versions = list(selectors.model_versions(request.user, name))
    grants = grants_of(request.user)
    context = {
        "row": row,
        "versions": versions,
        "users": selectors.deployments_using(request.user, model_name=name, model_version=row.version),
        "may_write": grants.allows(actions.MODELS_WRITE),
        "may_delete": grants.allows(actions.MODELS_DELETE),
    }
    return page(request, "pages/models/detail.html", context)


@require_http_methods(["GET", "POST"])
def model_register(request: Request) -> HttpResponse:
    require(request.user, actions.MODELS_WRITE)
    if request.method == "GET":
        form = ModelForm(initial={"name": request.GET.get("name", "")})
        return form_page(request, "pages/models/register.html", {}, form=form)
    form = ModelForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            row = _register(request, form)
        except (Invalid, NotFound, Conflict, LimitExceeded) as error:
            add_domain_errors(form, error, names={"files": "sent_files", "upload": "sent_files", "path": "sent_files"})
        else:
            messages.success(request, f"Registered {row}.")
            return go(request, address(row))
    return form_page(request, "pages/models/register.html", {}, form=form)


def _register(request: Request, form: ModelForm) -> ModelVersion:
    """Registers from the finished upload the scripts made, else from the files that came with the form."""
    asked = form.cleaned_data
    files = [(file.name, file) for file in asked["sent_files"]]
    upload = asked["upload"] or services.upload_from_files(
        request.user, files=files, purpose="model", unpack=form.is_unpacked()
    )
    return services.register_model(
        request.user,
        name=asked["name"],
        version=asked["version"] or None,
        type=asked["type"],
        upload=upload,
        description=asked["description"],
        tags=asked["tags"],
        properties={},
    )


@require_http_methods(["GET", "POST"])
def model_edit(request: Request, name: str, version: str) -> HttpResponse:
    require(request.user, actions.MODELS_WRITE)
    row = selectors.get_model_version(request.user, name, version)
    form = WordsForm(request.POST or None, initial={"description": row.description, "tags": row.tags})
    if form.is_valid():
        try:
            services.update_model(request.user, name=name, version=version, **form.cleaned_data)
        except (Invalid, Conflict, LimitExceeded) as error:
            add_domain_errors(form, error)
        else:
            return go(request, address(row))
    context = {"title": f"Edit {row}", "submit": "Save", "back": address(row)}
    return form_page(request, "pages/form.html", context, form=form)


@require_POST
def model_archive(request: Request, name: str, version: str) -> HttpResponse:
    services.archive_model(request.user, name=name, version=version)
    messages.success(request, f"Archived {name}:{version}. Deployments that use it go on; new ones cannot choose it.")
    return go(request, reverse("models:version", args=[name, version]))


@require_POST
def model_restore(request: Request, name: str, version: str) -> HttpResponse:
    services.restore_model(request.user, name=name, version=version)
    messages.success(request, f"Restored {name}:{version}.")
    return go(request, reverse("models:version", args=[name, version]))


@require_GET
def model_download(request: Request, name: str, version: str) -> StreamingHttpResponse:
    """The files as a zip, made while it is sent."""
    download = services.open_model_archive(request.user, name=name, version=version)
    headers = {"Content-Disposition": str(content_disposition_header(True, download.file_name))}
    if download.size_bytes is not None:
        headers["Content-Length"] = str(download.size_bytes)
    return StreamingHttpResponse(in_threads(download.chunks), content_type=download.content_type, headers=headers)


def address(row: ModelVersion) -> str:
    """The page of one version."""
    return reverse("models:version", args=[row.model.name, row.version])
