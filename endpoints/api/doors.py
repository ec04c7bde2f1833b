"""What all views share: who is asking, lists in pages, flags in the query. No decision is made here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from endpoints.api.bodies import DOCUMENTS
from endpoints.api.paging import Pages
from endpoints.spec.errors import FieldError, Invalid
from studio.access.models import User

_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


class Door(APIView):
    """A resource. Everything it does is one call of a selector or a service."""

    parser_classes = DOCUMENTS
    pagination_class = Pages

    @property
    def user(self) -> User:
        """Who is asking; the framework has refused those who are nobody."""
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  # IsAuthenticated stands before every door
        return user

    def flag(self, name: str) -> bool:
        """A yes/no of the query; absent is no."""
        text = self.request.query_params.get(name, "").lower()
        if text not in _YES | _NO:
            message = f"{text[:40]!r} is neither true nor false."
            raise Invalid(f"{name}: {message}", details=[FieldError(name, message)])
        return text in _YES

    def listed(
        self, rows: QuerySet[Any] | Sequence[Any], shape: type[serializers.BaseSerializer[Any]], **context: Any
    ) -> Response:
        """One page of `rows`. context: what the shape needs to know beside them."""
        pages = Pages()
        page = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response(shape(page, many=True, context=context).data)


def many(shape: type[serializers.BaseSerializer[Any]], rows: Sequence[Any]) -> Response:
    """All of a few rows."""
    return Response(shape(rows, many=True).data)


def created(data: Any) -> Response:
    return Response(data, status=status.HTTP_201_CREATED)


def nothing() -> Response:
    return Response(status=status.HTTP_204_NO_CONTENT)


def read_body(shape: type[serializers.Serializer[Any]], values: Any) -> dict[str, Any]:
    """The body's fields as `shape` says, or Invalid naming each that is wrong."""
    serializer = shape(data=dict(values))
    if unknown := set(values) - set(serializer.fields):
        details = [FieldError(name, f"Unknown key; known are {', '.join(serializer.fields)}.") for name in unknown]
        raise Invalid(f"{details[0].field}: {details[0].message}", details=details)
    if not serializer.is_valid():
        details = [FieldError(name, str(texts[0])) for name, texts in serializer.errors.items()]
        raise Invalid(f"{details[0].field}: {details[0].message}", details=details)
    data: dict[str, Any] = serializer.validated_data
    return data
