"""What a studio needs before its processes start: the database as this version wants it, and a first admin.

Any number of replicas may do this at once: one does the work, the others wait for it and find it done.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

# Any number of our own will do, as long as it stays the same from version to version.
_LOCK = 5_417_002


class Command(BaseCommand):
    help = "Migrate the database and create the first admin; safe from several replicas at once."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        with alone():
            call_command("migrate", interactive=False, verbosity=options["verbosity"], stdout=self.stdout)
            call_command("studio_bootstrap", stdout=self.stdout)


@contextmanager
def alone() -> Iterator[None]:
    """One replica at a time: by PostgreSQL for all machines that share it, for SQLite by a file beside it.

    Either is given back by whoever dies: a lock of the session, a lock of the open file.
    """
    if connection.vendor != "postgresql":
        folder = Path(settings.SLIPWAY_HOME) / "run"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "prepare.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
