"""Domain errors as HTTP: one table, one shape. What nobody expected is logged with the id the caller is given.

`{"error": {"code", "message", "details": [{"field", "message", "line"}], "id"}}`
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from endpoints.spec import errors
from studio.access.doors import note_refusal

logger = logging.getLogger(__name__)

STATUS: Mapping[type[errors.SlipwayError], int] = {
    errors.Invalid: status.HTTP_400_BAD_REQUEST,
    errors.Forbidden: status.HTTP_403_FORBIDDEN,
    errors.NotFound: status.HTTP_404_NOT_FOUND,
    errors.Conflict: status.HTTP_409_CONFLICT,
    errors.OutOfQuota: status.HTTP_409_CONFLICT,
    errors.LimitExceeded: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    errors.Unavailable: status.HTTP_503_SERVICE_UNAVAILABLE,
}

# Of refusals that never reach the domain: who is asking, what for, in which words.
_CODES = {400: "BadRequest", 401: "Unauthorized", 403: "AuthorizationFailed", 404: "ResourceNotFound"}
_CODES |= {405: "MethodNotAllowed", 406: "NotAcceptable", 413: "LimitExceeded", 415: "UnsupportedMediaType"}
_CODES |= {429: "TooManyRequests"}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """What the REST framework answers instead of an exception."""
    if isinstance(error, errors.Forbidden) and (request := context.get("request")) is not None:
        note_refusal(request.user, error, target=f"{request.method} {request.path}")
    if isinstance(error, errors.SlipwayError):
        return _domain(error)
    if isinstance(error, RequestDataTooBig):
        error = exceptions.ParseError("The request is too large.")
        error.status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    elif isinstance(error, SuspiciousOperation):
        error = exceptions.ParseError("The request is malformed.")
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        return _framework(error)
    return _unexpected(error, context)


def _domain(error: errors.SlipwayError) -> Response:
    code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    details = [{"field": each.field, "message": each.message, "line": each.line} for each in error.details]
    return _answer(code, error.code, error.message, details)


def _framework(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    detail = error.detail
    message = str(detail) if not isinstance(detail, dict | list) else "The request is not valid."
    code = _CODES.get(error.status_code, "Error")
    return _answer(error.status_code, code, message, [], headers=headers)


def _unexpected(error: Exception, context: Mapping[str, Any]) -> Response:
    error_id = uuid.uuid4().hex
    request = context.get("request")
    logger.error(
        "Unexpected error %s in %s %s",
        error_id,
        getattr(request, "method", "?"),
        getattr(request, "path", "?"),
        exc_info=error,
    )
    message = (
        f"Something went wrong inside the studio. Its log tells more under the id {error_id}; "
        "give that id to whoever runs the studio."
    )
    return _answer(status.HTTP_500_INTERNAL_SERVER_ERROR, "InternalServerError", message, [], error_id=error_id)


def _answer(
    code: int,
    word: str,
    message: str,
    details: list[dict[str, Any]],
    *,
    headers: Mapping[str, str] | None = None,
    error_id: str = "",
) -> Response:
    body = {"code": word, "message": message, "details": details, "id": error_id or uuid.uuid4().hex}
    return Response({"error": body}, status=code, headers=dict(headers or {}))
