"""`slipway images build-base`: the base image environments are built on where none can be pulled."""

from __future__ import annotations

import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser

from endpoints.environments.base_image import build_base
from endpoints.environments.image_map import BASE_IMAGE
from endpoints.spec.errors import Invalid


class Command(BaseCommand):
    help = "Make the local base image from this machine's Debian packages."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tag", default=BASE_IMAGE, help="The image's name (%(default)s).")

    def handle(self, *_: object, tag: str, **__: object) -> None:
        try:
            made = build_base(tag=tag, say=_say)
        except Invalid as refused:
            raise CommandError(refused.message) from refused
        self.stdout.write(f"{made.tag} {made.image} {made.size_bytes / 1e6:.0f} MB")


def _say(line: str) -> None:
    """Progress goes where results do not."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
