"""Azure's resource ids, as far as they name endpoints and deployments."""

from __future__ import annotations

import re

ID = re.compile(r"/onlineEndpoints/(?P<endpoint>[^/]+)(?:/deployments/(?P<deployment>[^/]+))?/?$", re.IGNORECASE)
