"""Models: a name and its immutable versions. The files live in the content-addressed store under `tree_digest`."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Model(models.Model):
    name = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """One registered version; nothing but description, tags and the archive mark ever changes.

    tree_digest: of the stored tree, whose single root entry is the file or folder as it was named by the user.
    """

    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=30)
    type = models.CharField(max_length=20, default="custom_model")  # custom_model, mlflow_model, triton_model
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    properties = models.JSONField(default=dict)
    tree_digest = models.CharField(max_length=64, db_index=True)
    root_name = models.CharField(max_length=255)
    is_folder = models.BooleanField()
    size_bytes = models.BigIntegerField()
    file_count = models.IntegerField()
    is_anonymous = models.BooleanField(default=False)  # registered on the way by an inline deployment
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="model_version_unique")]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.version}"

    @property
    def reference(self) -> str:
        """How documents name it."""
        return f"azureml:{self.model.name}:{self.version}"
