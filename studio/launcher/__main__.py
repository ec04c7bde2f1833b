"""`python -m studio.launcher`, which `slipway up` runs."""

from __future__ import annotations

import os
import sys

from studio.launcher.checks import CannotStart
from studio.launcher.options import read_options
from studio.launcher.studio import Studio


def main() -> int:
    """Exit code 0 after an orderly stop, 1 when the studio could not start."""
    try:
        return Studio(read_options(sys.argv[1:], os.environ)).run()
    except CannotStart as error:
        sys.stderr.write(f"slipway: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
