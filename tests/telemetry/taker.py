"""The intake as a process of its own, so that it can be killed: takes again and again until somebody does."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from endpoints.telemetry import intake  # noqa: E402

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    redis = intake.connect()
    with suppress(KeyboardInterrupt):
        while True:
            intake.take_all(redis, now=timezone.now())
            time.sleep(0.1)
