"""The product's app: what is stored (`models`), the verbs (`services`), the reconciler (`control`)."""

from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    name = "endpoints"
    verbose_name = "Endpoints"
