"""Fills the data folder that SLIPWAY_HOME names with rows that every page has something to show of. Run as a program.

No process acts on the rows: nothing is started, and nothing answers. Studios that really run are the other tests'.
"""

from __future__ import annotations

import os


def fill(username: str, password: str) -> None:
    """A workspace, its owner, a person with a role, a token and an unfinished deployment."""
    from django.core.management import call_command

    from studio.access.models import User
    from studio.access.roles import assign
    from studio.access.tokens import create_token
    from studio.wizards.models import DeploymentDraft
    from tests.pages import world

    call_command("migrate", verbosity=0)
    owner = User.objects.create_superuser(username, password=password, email="a.rather.long.name@research.example.org")
    world.workspace(owner)
    assign("AzureML Data Scientist", world.person("wilhelmina.van-der-berg"))
    create_token(owner, name="nightly export of the risk team")
    DeploymentDraft.objects.create(
        owner=owner, title="diabetes-risk / red", answers={"step": "compute", "step_data": {}, "extra_data": {}}
    )


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    django.setup()
    fill(os.environ["FILLED_USERNAME"], os.environ["FILLED_PASSWORD"])
