"""Every address of the website: the pages and the REST API."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, URLResolver, include, path

from endpoints.api.docs import ApiDocs
from endpoints.api.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/docs/", login_required(ApiDocs.as_view()), name="api-docs"),
    path("api/v1/", include("endpoints.api.urls")),
    path("", include("studio.pages.urls")),
]

handler400 = "studio.pages.errors.bad_request"
handler403 = "studio.pages.errors.forbidden"
handler404 = "studio.pages.errors.not_found"
handler500 = "studio.pages.errors.server_error"
