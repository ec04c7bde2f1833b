"""How bodies are read: documents as JSON or YAML (with its line numbers), of bounded size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, cast

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from endpoints.spec.errors import FieldError, Invalid, LimitExceeded
from endpoints.spec.yaml_reader import SourceDocument, read_yaml

MAX_DOCUMENT_BYTES = 1024 * 1024


def _text(stream: IO[bytes]) -> str:
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise LimitExceeded(f"A document may have {MAX_DOCUMENT_BYTES // 1024} KiB.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable("The body is not text in UTF-8.", None) from None


def _unreadable(message: str, line: int | None) -> Invalid:
    return Invalid(message, details=[FieldError("", message, line)])


class JsonDocument(BaseParser):
    """A JSON object of bounded size. No body at all is an empty object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        text = _text(stream)
        if not text.strip():
            return {}
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            message = f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            raise _unreadable(message, error.lineno) from None
        except RecursionError:
            raise _unreadable("The JSON is nested too deeply.", None) from None
        if not isinstance(values, dict):
            raise _unreadable("The body must be a JSON object.", 1)
        return values


class YamlDocument(BaseParser):
    """The same as YAML; errors then name the line."""

    media_type = "application/yaml"

    def parse(  # type: ignore[override]  # the framework hands on whatever it is
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> SourceDocument:
        return read_yaml(_text(stream))


DOCUMENTS: tuple[type[BaseParser], ...] = (JsonDocument, YamlDocument)


def document(request: Request) -> SourceDocument | Mapping[str, object]:
    """The document sent, for the `read` of `endpoints.spec.documents`."""
    return cast("SourceDocument | Mapping[str, object]", request.data)


def values(request: Request) -> Mapping[str, Any]:
    """The plain values of the document sent."""
    data = document(request)
    return data.values if isinstance(data, SourceDocument) else data
