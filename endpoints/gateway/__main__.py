"""`python -m endpoints.gateway`: the gateway's master process and, under it, one process a core."""

from __future__ import annotations

from endpoints.gateway.master import main

if __name__ == "__main__":
    raise SystemExit(main())
