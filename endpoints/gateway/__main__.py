"""`python -m endpoints.gateway`: the gateway's master process and, under it, one process a core.

`--version` says which gateway it is and whether it would run compiled.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

from endpoints.gateway.compiled import is_compiled
from endpoints.gateway.master import main

if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"slipway gateway {version('slipway')}, {'compiled' if is_compiled() else 'interpreted'}\n")
        raise SystemExit(0)
    raise SystemExit(main())
