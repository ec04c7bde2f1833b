"""The two keys of an endpoint: encrypted for showing, digested for checking."""

from __future__ import annotations

from django.db import models


class EndpointKeys(models.Model):
    """`*_secret` is the Fernet-encrypted key, `*_digest` its lower-case hex SHA-256 (the keys have 256 random bits)."""

    endpoint = models.OneToOneField("endpoints.OnlineEndpoint", on_delete=models.CASCADE, related_name="keys")
    primary_secret = models.BinaryField()
    primary_digest = models.CharField(max_length=64)
    secondary_secret = models.BinaryField()
    secondary_digest = models.CharField(max_length=64)
    rotated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"keys of {self.endpoint}"
