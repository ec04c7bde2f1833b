"""Deploy the sample on a first start, and print the line that scores it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from endpoints.spec.errors import SlipwayError
from studio.access.models import User
from studio.sample import SampleFailed, deploy_sample


class Command(BaseCommand):
    help = "Register, deploy and score-line the sample; what is there already stays."

    def handle(self, *args: Any, **options: Any) -> None:
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            raise CommandError("There is no admin yet; run studio_bootstrap first.")
        try:
            curl = deploy_sample(admin, self._say)
        except (SampleFailed, SlipwayError) as failure:
            raise CommandError(f"The sample was not deployed: {failure}") from failure
        self._say("\nScore it:")
        self._say(f"  {curl}\n")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
