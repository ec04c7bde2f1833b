"""`slipway doctor`: what of this studio is on this machine, what is orphaned or broken, and with --fix its mending."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from endpoints.backends.base import Permanent, Temporary
from endpoints.backends.docker_engine import is_configured
from endpoints.backends.docker_inventory import has_image
from endpoints.control import engine
from endpoints.control.engine import Condition, Finding
from endpoints.control.targets import home


class Command(BaseCommand):
    """Exit code 1 where something is left that wants mending."""

    help = "Look at what this studio has on this machine; --fix removes what nothing needs and forgets what is gone."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Mend what is orphaned or broken.")

    def handle(self, *_: object, fix: bool, **__: object) -> None:
        self._say("ok", "home", str(home().root))
        if not self._has_database():
            raise SystemExit(1)
        if not is_configured():
            self._say("ok", "engine", "none on this machine: instances run as processes")
            return
        if trouble := engine.trouble():
            self._say("broken", "engine", trouble)
            raise SystemExit(1)
        self._say("ok", "engine", "answers")
        self._look_at_base()
        left = [each for each in engine.examine() if not self._told(each, fix=fix)]
        if left:
            self.stdout.write(f"{len(left)} to mend: slipway doctor --fix")
            raise SystemExit(1)

    def _has_database(self) -> bool:
        try:
            executor = MigrationExecutor(connection)
            waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            self._say("broken", "database", f"cannot be reached: {error}")
            return False
        if waiting:
            self._say("broken", "database", "has not been prepared: start the studio once, or run migrate")
            return False
        self._say("ok", "database", connection.vendor)
        return True

    def _look_at_base(self) -> None:
        base = engine.local_base()
        there = has_image(base)
        self._say("ok" if there else "missing", "base image", base if there else f"{base}: slipway images build-base")

    def _told(self, finding: Finding, *, fix: bool) -> bool:
        """Tell of one finding; True where nothing is left to mend. What is merely unused is left to time."""
        needs_mending = finding.condition in {Condition.ORPHANED, Condition.BROKEN}
        if not (needs_mending and fix and finding.mend):
            self._say(finding.condition, finding.kind, f"{finding.name}: {finding.detail}")
            return not needs_mending
        try:
            finding.mend()
        except (Temporary, Permanent) as trouble:
            self._say(finding.condition, finding.kind, f"{finding.name}: could not be mended: {trouble}")
            return False
        self._say("mended", finding.kind, f"{finding.name}: {finding.detail}")
        return True

    def _say(self, state: str, kind: str, text: str) -> None:
        self.stdout.write(f"{state:<9} {kind:<16} {text}")
