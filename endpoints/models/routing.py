"""What the gateway was told last, so that the next route table need not be built from nothing."""

from __future__ import annotations

from django.db import models


class RouteVersion(models.Model):
    """One row. Its lock orders all publications; `version` only ever grows."""

    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"route table {self.version}"


OF_ALL = ""  # the name of the part that is no endpoint's: what holds for the gateway as a whole


class RouteFragment(models.Model):
    """One endpoint's part of the route table as JSON text; "" for an endpoint that is gone.

    version: of the table in which it last changed.
    """

    endpoint_name = models.CharField(max_length=32, primary_key=True)
    body = models.TextField(blank=True)
    version = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"route of {self.endpoint_name} at {self.version}"
