"""Who may do what: users, roles, policy, API tokens."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from studio.access import signing_in  # noqa: F401  # it listens
        from studio.access.roles import ensure_builtin_roles

        post_migrate.connect(ensure_builtin_roles, sender=self, dispatch_uid="access.builtin-roles")
