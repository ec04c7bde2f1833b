"""Online endpoints and deployments: the record of what is wanted, and beside it what was observed.

Columns under "wanted" are written by `endpoints.services` only, columns under "observed" by `endpoints.control` only.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from endpoints.spec.states import FailureCode, ProvisioningState


class OnlineEndpoint(models.Model):
    # wanted
    name = models.CharField(max_length=32, unique=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    properties = models.JSONField(default=dict)
    auth_mode = models.CharField(max_length=10, default="key")  # key, aml_token, aad_token
    compute = models.CharField(max_length=64, blank=True)  # "" managed, else the attached cluster's name
    traffic = models.JSONField(default=dict)  # deployment name -> percent; 0 or 100 in all
    traffic_since = models.DateTimeField(null=True, blank=True)  # when the split last changed
    mirror_traffic = models.JSONField(default=dict)  # at most one deployment name -> percent
    comparison = models.JSONField(null=True, blank=True)  # `ComparisonSettings` without its defaults; None: off
    public_network_access = models.CharField(max_length=8, default="enabled")
    identity = models.JSONField(null=True, blank=True)
    gateway_settings = models.JSONField(default=dict)  # `EndpointGatewaySettings` without its defaults
    generation = models.BigIntegerField(default=1)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    # observed
    observed_generation = models.BigIntegerField(default=0)
    failure = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def provisioning_state(self) -> ProvisioningState:
        """Derived from wanted and observed; see `OnlineDeployment.provisioning_state`."""
        if self.deletion_requested_at:
            return ProvisioningState.DELETING
        if self.observed_generation < self.generation:
            return ProvisioningState.UPDATING if self.observed_generation else ProvisioningState.CREATING
        return ProvisioningState.FAILED if self.failure else ProvisioningState.SUCCEEDED


class OnlineDeployment(models.Model):
    """One deployment. Its template is the `DeploymentRevision` numbered `revision`; the count stands here."""

    # wanted
    endpoint = models.ForeignKey(OnlineEndpoint, on_delete=models.CASCADE, related_name="deployments")
    name = models.CharField(max_length=32)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    properties = models.JSONField(default=dict)
    backend = models.CharField(max_length=20, default="process")
    instance_type = models.CharField(max_length=64)
    instance_count = models.IntegerField(default=1)
    scaling = models.JSONField(default=dict)  # `ScalingDocument`; empty without a policy
    gateway_settings = models.JSONField(default=dict)  # `DeploymentGatewaySettings` without its defaults
    shared_pool_hours = models.IntegerField(default=0)  # it may stand on the shared pool for so long; 0: it may not
    stopped_at = models.DateTimeField(null=True, blank=True)  # it is to run no instance until it is started again
    stop_reason = models.TextField(blank=True)  # a sentence: its loan of 8 cores … ended at …
    revision = models.IntegerField(default=1)
    colour = models.IntegerField(default=0)  # index into the series colours, in order of creation
    # The endpoint's split to set once this deployment is ready for the first time; None leaves the split alone.
    traffic_when_ready = models.JSONField(null=True, blank=True)
    generation = models.BigIntegerField(default=1)
    canceled_generation = models.BigIntegerField(default=0)  # the generation that is to be given up
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    # observed
    observed_generation = models.BigIntegerField(default=0)
    observed_revision = models.IntegerField(default=0)  # the last one that was rolled out whole
    ready_instances = models.IntegerField(default=0)
    failure = models.JSONField(null=True, blank=True)  # `Failure` of the newest generation, None while it goes well
    warnings = models.JSONField(default=list)
    schedule_entered = models.CharField(max_length=120, blank=True)  # the stretch of a scaling schedule that began last
    wake_trouble = models.TextField(blank=True)  # why it could not be woken last, "" where it could
    host = models.CharField(max_length=255, blank=True)  # whose processes its instances are, where there are several
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)  # unsettled: when to look; None: settled, or never seen
    attempts = models.IntegerField(default=0)  # looks in a row that ended in an unknown error

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "name"], name="deployment_name_unique")]

    def __str__(self) -> str:
        return f"{self.endpoint.name}/{self.name}"

    @property
    def wanted_instances(self) -> int:
        """How many should run now: none while it is stopped."""
        return 0 if self.stopped_at else self.instance_count

    @property
    def shown_state(self) -> str:
        """What a person reads: the provisioning state, or that it is stopped or asleep."""
        if self.provisioning_state is not ProvisioningState.SUCCEEDED:
            return self.provisioning_state
        return "Stopped" if self.stopped_at else "Asleep" if self.is_asleep else self.provisioning_state

    @property
    def is_asleep(self) -> bool:
        """A scaling policy let all its instances go; a request wakes it."""
        return not (self.instance_count or self.stopped_at or self.deletion_requested_at)

    @property
    def provisioning_state(self) -> ProvisioningState:
        """Derived from wanted and observed, so that there is no second source of status (contract A-72, B20).

        Failed means: the reconciler has finished with this generation and could not reach it.
        """
        if self.deletion_requested_at:
            return ProvisioningState.DELETING
        if self.observed_generation < self.generation:
            if not self.observed_revision:
                return ProvisioningState.CREATING
            is_same_template = self.observed_revision == self.revision
            return ProvisioningState.SCALING if is_same_template else ProvisioningState.UPDATING
        if self.failure and self.failure["code"] == FailureCode.OPERATION_CANCELED:
            return ProvisioningState.CANCELED
        return ProvisioningState.FAILED if self.failure else ProvisioningState.SUCCEEDED


class DeploymentRevision(models.Model):
    """What instances of one accepted change are made of. Immutable; a change of count alone makes none.

    spec: the deployment document as `endpoints.spec` normalised it, references resolved.
    """

    deployment = models.ForeignKey(OnlineDeployment, on_delete=models.CASCADE, related_name="revisions")
    number = models.IntegerField()
    spec = models.JSONField()
    model_version = models.ForeignKey(
        "endpoints.ModelVersion", null=True, on_delete=models.PROTECT, related_name="revisions"
    )
    environment_version = models.ForeignKey(
        "endpoints.EnvironmentVersion", null=True, on_delete=models.PROTECT, related_name="revisions"
    )
    code_digest = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "number"], name="revision_number_unique")]

    def __str__(self) -> str:
        return f"{self.deployment} revision {self.number}"


class Instance(models.Model):
    """One instance as last observed. Rows stay after the instance is gone, so that its logs can be found."""

    id = models.CharField(primary_key=True, max_length=64)
    deployment = models.ForeignKey(OnlineDeployment, on_delete=models.CASCADE, related_name="instances")
    revision = models.IntegerField()
    generation = models.BigIntegerField(default=0)  # of the deployment when it was started
    state = models.CharField(max_length=10, default="Starting")
    host = models.CharField(max_length=255, blank=True)
    port = models.IntegerField(default=0)
    pid = models.IntegerField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    reason = models.TextField(blank=True)  # why it ended, in a sentence
    failure = models.JSONField(null=True, blank=True)
    probe_failures = models.IntegerField(default=0)  # readiness, in a row
    probe_successes = models.IntegerField(default=0)
    probed_at = models.DateTimeField(null=True, blank=True)
    liveness_failures = models.IntegerField(default=0)
    liveness_probed_at = models.DateTimeField(null=True, blank=True)
    unready_since = models.DateTimeField(null=True, blank=True)  # of one that was ready before
    created_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)
    draining_at = models.DateTimeField(null=True, blank=True)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["deployment", "ended_at"], name="instance_alive")]

    def __str__(self) -> str:
        return self.id


class WorkerHost(models.Model):
    """A host whose worker runs instances as its processes; it is there while it says so. Written by control only."""

    name = models.CharField(primary_key=True, max_length=255)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
