"""Prepare a studio's first start, for the launcher: one JSON object on stdout, nothing else anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from endpoints.spec.errors import SlipwayError
from studio.access.bootstrap import ensure_admin, ensure_connection
from studio.settings import env


class Command(BaseCommand):
    help = "Create the first admin where there is none; print what was done as JSON (the password only when new)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--connection-file", type=Path, help="also write url and token for a local command line here"
        )
        parser.add_argument("--url", default=settings.SLIPWAY_URL, help="the studio's address in that file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            admin = ensure_admin(password=env("SLIPWAY_ADMIN_PASSWORD"))
        except SlipwayError as refusal:
            raise CommandError(refusal.message) from refusal
        file: Path | None = options["connection_file"]
        if file:
            ensure_connection(file, url=options["url"], user=admin.user)
        done = {
            "created": admin.is_new,
            "username": admin.user.username,
            "password": admin.password,
            "connection_file": str(file) if file else None,
        }
        self.stdout.write(json.dumps(done))
