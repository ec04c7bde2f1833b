"""Environments: a name, its immutable versions, and what each content was built into."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Environment(models.Model):
    name = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class EnvironmentVersion(models.Model):
    """One registered version.

    conda: the parsed conda file, None without one. requirements: text of a requirements.txt, "" without one.
    conda_text: the file as the user wrote it, comments and all. context_digest: stored tree of a build context.
    build_key: content hash that names the build; two versions with the same content share it.
    """

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=30)
    image = models.CharField(max_length=512, blank=True)
    conda = models.JSONField(null=True, blank=True)
    conda_text = models.TextField(blank=True)
    requirements = models.TextField(blank=True)
    context_digest = models.CharField(max_length=64, blank=True)
    dockerfile_path = models.CharField(max_length=255, blank=True)
    inference_config = models.JSONField(null=True, blank=True)
    os_type = models.CharField(max_length=10, default="linux")
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    properties = models.JSONField(default=dict)
    build_key = models.CharField(max_length=64, db_index=True)
    is_anonymous = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "version"], name="environment_version_unique")]

    def __str__(self) -> str:
        return f"{self.environment.name}:{self.version}"

    @property
    def reference(self) -> str:
        return f"azureml:{self.environment.name}:{self.version}"


class EnvironmentBuild(models.Model):
    """What one content (`key`) was built into for one target. Written by the control room only.

    state: Queued, Building, Succeeded, Failed, Canceled. failure: `Failure` as JSON. warnings: sentences.
    result: what the builder returned (python path or image id, base images), as JSON.
    """

    key = models.CharField(max_length=64)
    target = models.CharField(max_length=20, default="process")
    state = models.CharField(max_length=12, default="Queued")
    python_requested = models.CharField(max_length=20, blank=True)
    python_used = models.CharField(max_length=20, blank=True)
    warnings = models.JSONField(default=list)
    failure = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "target"], name="environment_build_unique")]

    @property
    def base_images(self) -> list[str]:
        """What an image was built on; empty for other targets."""
        return list((self.result or {}).get("bases", ()))

    def __str__(self) -> str:
        return f"{self.key[:12]} for {self.target}: {self.state}"
