"""Instance types and the cores a family may use (contract B2, B3)."""

from __future__ import annotations

from django.db import models


class InstanceType(models.Model):
    """A VM SKU name and what it stands for. Names compare case-insensitively; `gpus` may be a fraction.

    price_per_hour: in the studio's own currency, None where nobody entered one.
    """

    name = models.CharField(max_length=64, unique=True)
    family = models.CharField(max_length=64)
    cores = models.IntegerField()
    memory_gib = models.FloatField()
    gpus = models.FloatField(default=0)
    gpu_model = models.CharField(max_length=64, blank=True)
    is_exempt = models.BooleanField(default=False)  # skips the 20 % reservation
    price_per_hour = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    is_builtin = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class FamilyQuota(models.Model):
    """How many cores of a family all deployments together may take."""

    family = models.CharField(max_length=64, unique=True)
    limit_cores = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.family}: {self.limit_cores} cores"
