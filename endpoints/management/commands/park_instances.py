"""Stop every model process of this studio; the launcher calls it at an orderly stop."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from endpoints.control.parking import park


class Command(BaseCommand):
    help = "Stop all instances on this machine; the next start of the studio brings them back."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{park()} instances stopped")
