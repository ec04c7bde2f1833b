"""Every address of the website: the pages and the REST API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from endpoints.api.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="api-docs"),
    path("api/v1/", include("endpoints.api.urls")),
    path("", include("studio.pages.urls")),
]

handler400 = "studio.pages.errors.bad_request"
handler403 = "studio.pages.errors.forbidden"
handler404 = "studio.pages.errors.not_found"
handler500 = "studio.pages.errors.server_error"
