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


class TokenSigningKey(models.Model):
    """An Ed25519 key that signs `aml_token` bearers. `private_secret` is Fernet-encrypted; gateways get `public_pem`.

    id: the `kid` of the tokens it signed. retired_at: signs no more, yet its tokens hold until they expire.
    """

    id = models.CharField(primary_key=True, max_length=32)
    private_secret = models.BinaryField()
    public_pem = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.id
