"""`python -m benchmarks.data_plane`: as `make bench NAME=data_plane`, with options."""

from __future__ import annotations

import sys

from benchmarks.__main__ import report
from benchmarks.data_plane import main

if __name__ == "__main__":
    main(sys.argv[1:])
    sys.exit(not report("data_plane"))
