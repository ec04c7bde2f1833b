"""The product's app: what is stored (`models`), the verbs (`services`), the reconciler (`control`)."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EndpointsConfig(AppConfig):
    name = "endpoints"
    verbose_name = "Endpoints"

    def ready(self) -> None:
        from endpoints.services.quota import ensure_instance_types

        post_migrate.connect(ensure_instance_types, sender=self, dispatch_uid="endpoints.instance-types")
