"""/api/v1/loans and what belongs to them: cores of the shared pool, lent for a time."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, read_body
from endpoints.api.operations import CHANGE, accepted
from endpoints.models import PoolLoan


class LoanOut(serializers.Serializer[PoolLoan]):
    """Cores lent to a deployment until `ends_at`; then it is stopped."""

    endpoint = serializers.CharField(source="endpoint_name")
    deployment = serializers.CharField(source="deployment_name")
    family = serializers.CharField()
    cores = serializers.IntegerField()
    lent_to = serializers.CharField(source="lent_to.username", default=None, allow_null=True)
    lent_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class StartIn(serializers.Serializer[Any]):
    """shared_pool_hours: for so long on a loan, where the family's limit has no room; 0: not at all."""

    shared_pool_hours = serializers.IntegerField(required=False, min_value=0, default=0)


class ExtensionIn(serializers.Serializer[Any]):
    hours = serializers.IntegerField(min_value=1)


class Loans(Door):
    @extend_schema(operation_id="loans_list", responses=LoanOut(many=True))
    def get(self, request: Request) -> Response:
        """What the shared pool has lent, the next to end first."""
        return self.listed(selectors.loans_for(self.user), LoanOut)


class DeploymentStart(Door):
    @extend_schema(operation_id="online_deployments_start", request=StartIn, responses=CHANGE)
    def post(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Run a stopped deployment again."""
        wanted = read_body(StartIn, values(request))
        return accepted(services.start_deployment(self.user, endpoint=endpoint, name=deployment, **wanted))


class DeploymentLoan(Door):
    @extend_schema(operation_id="online_deployments_extend_loan", request=ExtensionIn, responses=LoanOut)
    def patch(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Let the loan end some hours later."""
        wanted = read_body(ExtensionIn, values(request))
        return Response(LoanOut(services.extend_loan(self.user, endpoint=endpoint, name=deployment, **wanted)).data)

    @extend_schema(operation_id="online_deployments_repay_loan", responses=CHANGE)
    def delete(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Move the deployment to its family's limit, which has room for it; nothing restarts."""
        return accepted(services.repay_loan(self.user, endpoint=endpoint, name=deployment))
