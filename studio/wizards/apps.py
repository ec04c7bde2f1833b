"""Guided forms, named by what they make, and the drafts they keep."""

from django.apps import AppConfig


class WizardsConfig(AppConfig):
    name = "studio.wizards"
    label = "wizards"
    verbose_name = "Wizards"
