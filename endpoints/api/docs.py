"""/api/docs/: the API's description to read and to try, served from here with nothing loaded from elsewhere."""

from __future__ import annotations

from drf_spectacular.views import SpectacularSwaggerSplitView


class ApiDocs(SpectacularSwaggerSplitView):
    """The script is an address of its own rather than inline, as the content security policy wants it."""

    url_name = "api:schema"
    template_name = "api/docs.html"
