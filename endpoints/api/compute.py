"""/api/v1/instance-types and /api/v1/quota: what deployments may run on, and how much of it is left."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, created, read_body
from endpoints.models import InstanceType


class InstanceTypeOut(serializers.Serializer[InstanceType]):
    name = serializers.CharField()
    family = serializers.CharField()
    cores = serializers.IntegerField()
    memory_gib = serializers.FloatField()
    gpus = serializers.FloatField()
    gpu_model = serializers.CharField()
    is_exempt = serializers.BooleanField()
    price_per_hour = serializers.DecimalField(max_digits=12, decimal_places=6, allow_null=True)


class InstanceTypeChange(serializers.Serializer[Any]):
    """What a type stands for; a key that is left out stays as it is."""

    family = serializers.CharField(max_length=64, required=False)
    cores = serializers.IntegerField(required=False)
    memory_gib = serializers.FloatField(required=False)
    gpus = serializers.FloatField(required=False)
    gpu_model = serializers.CharField(max_length=64, required=False, allow_blank=True)
    is_exempt = serializers.BooleanField(required=False)
    price_per_hour = serializers.DecimalField(max_digits=12, decimal_places=6, required=False, allow_null=True)


class InstanceTypeIn(InstanceTypeChange):
    name = serializers.CharField(max_length=64)
    family = serializers.CharField(max_length=64)
    cores = serializers.IntegerField()
    memory_gib = serializers.FloatField()


class DeploymentUsageOut(serializers.Serializer[Any]):
    endpoint = serializers.CharField()
    deployment = serializers.CharField()
    instance_type = serializers.CharField()
    instance_count = serializers.IntegerField()
    cores = serializers.IntegerField()
    reserved_cores = serializers.IntegerField()


class FamilyUsageOut(serializers.Serializer[Any]):
    """Cores of one family: in use, kept free for upgrades, and left; beside them its shared pool, and what is lent."""

    family = serializers.CharField()
    limit_cores = serializers.IntegerField()
    used_cores = serializers.IntegerField()
    reserved_cores = serializers.IntegerField()
    free_cores = serializers.IntegerField()
    pool_cores = serializers.IntegerField()
    lent_cores = serializers.IntegerField()
    deployments = DeploymentUsageOut(many=True)


class FamilyLimitIn(serializers.Serializer[Any]):
    """What is left out stays."""

    limit_cores = serializers.IntegerField(min_value=0, required=False)
    pool_cores = serializers.IntegerField(min_value=0, required=False)
    note = serializers.CharField(required=False, allow_blank=True)


class FamilyLimitOut(serializers.Serializer[Any]):
    family = serializers.CharField()
    limit_cores = serializers.IntegerField()
    pool_cores = serializers.IntegerField()


class InstanceTypes(Door):
    @extend_schema(operation_id="instance_types_list", responses=InstanceTypeOut(many=True))
    def get(self, request: Request) -> Response:
        """The instance types, by family and size."""
        return self.listed(selectors.instance_types(self.user), InstanceTypeOut)

    @extend_schema(operation_id="instance_types_add", request=InstanceTypeIn, responses={201: InstanceTypeOut})
    def post(self, request: Request) -> Response:
        """Add a type of the studio's own."""
        wanted = read_body(InstanceTypeIn, values(request))
        row = services.add_instance_type(self.user, name=wanted.pop("name"), values=wanted)
        return created(InstanceTypeOut(row).data)


class InstanceTypeDoor(Door):
    @extend_schema(operation_id="instance_types_change", request=InstanceTypeChange, responses=InstanceTypeOut)
    def patch(self, request: Request, name: str) -> Response:
        """Change what a type stands for; nothing restarts."""
        wanted = read_body(InstanceTypeChange, values(request))
        return Response(InstanceTypeOut(services.change_instance_type(self.user, name=name, values=wanted)).data)


class Quota(Door):
    @extend_schema(operation_id="quota_list", responses=FamilyUsageOut(many=True))
    def get(self, request: Request) -> Response:
        """Every family with its limit and what is taken."""
        return self.listed(selectors.quota_usage(self.user), FamilyUsageOut)


class FamilyLimit(Door):
    @extend_schema(operation_id="quota_set_limit", request=FamilyLimitIn, responses=FamilyLimitOut)
    def put(self, request: Request, family: str) -> Response:
        """Change how many cores a family may take, or its shared pool lends."""
        limit = read_body(FamilyLimitIn, values(request))
        return Response(FamilyLimitOut(services.set_family_limit(self.user, family=family, **limit)).data)
