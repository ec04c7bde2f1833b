"""Instance types and the cores a family may use (contract B2, B3)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


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
    """How many cores of a family all deployments together may take; `pool_cores` are lent for a time beside them."""

    family = models.CharField(max_length=64, unique=True)
    limit_cores = models.IntegerField()
    pool_cores = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.family}: {self.limit_cores} cores"


class QuotaChange(models.Model):
    """One change of a family's limit, kept for good. is_pool: of its shared pool's size."""

    family = models.CharField(max_length=64, db_index=True)
    is_pool = models.BooleanField(default=False)
    cores_before = models.IntegerField()
    cores_after = models.IntegerField()
    note = models.TextField(blank=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.family}: {self.cores_before} to {self.cores_after} cores"


class PoolLoan(models.Model):
    """Cores of a family's shared pool, lent to one deployment until `ends_at`. It outlives the deployment.

    A deployment stands on its family's limit or on a loan, never on both. end: "" while it runs, then Expired, Repaid
    (the family had room again) or Deleted. `ended_at` is when the cores were free again.
    """

    deployment = models.ForeignKey("endpoints.OnlineDeployment", null=True, on_delete=models.SET_NULL, related_name="+")
    endpoint_name = models.CharField(max_length=32)
    deployment_name = models.CharField(max_length=32)
    family = models.CharField(max_length=64)
    cores = models.IntegerField()
    lent_to = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    lent_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)
    end = models.CharField(max_length=8, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment"], condition=models.Q(ended_at__isnull=True), name="one_open_loan_a_deployment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.cores} {self.family} cores to {self.endpoint_name}/{self.deployment_name}"


class QuotaRequest(models.Model):
    """Somebody asks for a family's limit to become `limit_cores`. state: Open, Approved or Declined."""

    family = models.CharField(max_length=64)
    limit_cores = models.IntegerField()
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=8, default="Open", db_index=True)
    note = models.TextField(blank=True)  # of who decided
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.family} to {self.limit_cores} cores: {self.state}"
