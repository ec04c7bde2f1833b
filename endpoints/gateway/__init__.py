"""The data plane: every scoring request passes through here, and nothing else does. Knows only `endpoints.spec`."""

from endpoints.gateway.compiled import search_path

__path__ = search_path(list(__path__))
