"""Who may do what: users, roles, policy, API tokens."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"
    verbose_name = "Access"
