"""The website's app: pages, forms, templates and static files."""

from django.apps import AppConfig


class StudioConfig(AppConfig):
    name = "studio"
    verbose_name = "Slipway studio"

    def ready(self) -> None:
        # Celery's default app must be ours before anything calls a task.
        from studio import celery  # noqa: F401
