"""The OpenAPI documents of a script: its own files where it has them, else made from its inference schema."""

from __future__ import annotations

import copy
import json
import logging
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl

from .arguments import is_schema_decorated, own_adapter
from .failure import BAD_ARGUMENT, BootFailure
from .json_bytes import to_json
from .settings import Settings

logger = logging.getLogger("azmlinfsrv.swagger")

ALIASES = {"2": "2", "2.0": "2", "3": "3", "3.0": "3", "3.1": "3.1"}
FILES = {"2": ("swagger.json", "swagger2.json"), "3": ("swagger3.json",), "3.1": ("swagger3.1.json",)}
_FAILED = "The service failed to execute due to an error."
_HEALTHY = "If service is up and running, this response will be returned with the content 'Healthy'"
_SCORED = "The service processed the input correctly and provided a result prediction, if applicable."


class SwaggerUnavailable(Exception):
    """The version asked for does not exist; the message is the caller's."""


class Documents:
    """All versions there are, as bytes ready to send."""

    def __init__(self, documents: Dict[str, bytes]) -> None:
        self._documents = documents

    def document(self, query: str) -> bytes:
        """Raises SwaggerUnavailable."""
        asked = dict(parse_qsl(query, keep_blank_values=True)[::-1]).get("version", "2")
        there = ", ".join(sorted(self._documents))
        if asked not in ALIASES:
            raise SwaggerUnavailable("Swagger version [%s] is not valid. Supported versions: [%s]." % (asked, there))
        document = self._documents.get(ALIASES[asked])
        if document is None:
            raise SwaggerUnavailable(
                "Swagger version [%s] is not supported for the scoring script. Supported swagger versions: [%s]."
                % (asked, there)
            )
        return document


class Swagger(Documents):
    """The documents of a loaded script."""

    def __init__(self, run: Callable[..., Any], settings: Settings) -> None:
        self.documents: Dict[str, bytes] = {}
        for version in FILES:
            document = _read_own(version, settings.app_root) or _make(version, run, settings)
            if document is not None:
                self.documents[version] = to_json(document)
        super().__init__(self.documents)
        self._log()

    def _log(self) -> None:
        there = ", ".join(sorted(self._documents))
        skipped = ", ".join(sorted(set(FILES) - set(self._documents)))
        if there and skipped:
            logger.info("Swaggers are prepared for versions [%s] and skipped for versions [%s].", there, skipped)
        elif there:
            logger.info("Swaggers are prepared for the following versions: [%s].", there)
        else:
            logger.info("No swagger is prepared.")


def _read_own(version: str, app_root: str) -> Optional[Any]:
    for name in FILES[version]:
        path = os.path.join(app_root, name)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError) as error:
            raise BootFailure(
                BAD_ARGUMENT,
                "The swagger file %s cannot be read: %s" % (name, error),
                advice="Correct or remove it; without one the document is made from the script.",
                file=name,
            ) from None
        logger.info("Loaded user's swagger file for version [%s] from %s", version, path)
        if document:
            return document
    return None


def _make(version: str, run: Callable[..., Any], settings: Settings) -> Optional[Dict[str, Any]]:
    schemas = _schemas(version, run)
    if schemas is None:
        return None
    make = _swagger2 if version == "2" else _openapi3
    document = make(settings, *[copy.deepcopy(schema) for schema in schemas])
    if version == "3.1":
        document["openapi"] = "3.1.0"
    return document


def _schemas(version: str, run: Callable[..., Any]) -> Optional[Tuple[Any, Any]]:
    """(input, output), or None when the script's types cannot be told in that version."""
    if (own := own_adapter(run)) is not None and (told := own.schemas(version)) is not None:
        return told
    if not is_schema_decorated(run):
        return {"type": "object", "example": {}}, {"type": "object", "example": {}}
    schema_util = sys.modules["inference_schema.schema_util"]
    supported: List[str] = schema_util.get_supported_versions(run)
    if not any(ALIASES.get(alias) == version for alias in supported):
        return None
    return schema_util.get_input_schema(run), schema_util.get_output_schema(run)


def _info(settings: Settings) -> Dict[str, str]:
    name = settings.service_name
    description = "API specification for the Azure Machine Learning service %s" % name
    return {"title": name, "description": description, "version": settings.service_version}


def _prefix(settings: Settings) -> str:
    prefix = settings.service_path_prefix.strip("/")
    return "/" + prefix if prefix else ""


_BEARER = {"type": "apiKey", "name": "Authorization", "in": "header", "description": "For example: Bearer abc123"}
_ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}
_HEALTH_TEXT = "Simple health check endpoint to ensure the service is up at any given point."
_SCORE_TEXT = "Run web service's model and get the prediction output"
_PAYLOAD_TEXT = "The input payload for executing the real-time machine learning service."


def _swagger2(settings: Settings, service_input: Any, service_output: Any) -> Dict[str, Any]:
    def answers(description: str, schema: Any, **more: Any) -> Dict[str, Any]:
        failed = {"description": _FAILED, "schema": {"$ref": "#/definitions/ErrorResponse"}}
        return {"200": dict({"description": description, "schema": schema}, **more), "default": failed}

    health = {
        "operationId": "ServiceHealthCheck",
        "description": _HEALTH_TEXT,
        "responses": answers(_HEALTHY, {"type": "string"}, examples={"application/json": "Healthy"}),
    }
    payload = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": _PAYLOAD_TEXT,
        "schema": {"$ref": "#/definitions/ServiceInput"},
    }
    score = {
        "operationId": "RunMLService",
        "description": _SCORE_TEXT,
        "security": [{"Bearer": []}],
        "parameters": [payload],
        "responses": answers(_SCORED, {"$ref": "#/definitions/ServiceOutput"}),
    }
    version = {"name": "version", "in": "query", "required": False, "type": "integer", "enum": [2, 3]}
    swagger = {
        "operationId": "GetSwaggerSpec",
        "description": "Get the Swagger specification.",
        "parameters": [version],
        "responses": answers("The Swagger specification.", {"type": "string"}),
    }
    prefix = _prefix(settings)
    return {
        "swagger": "2.0",
        "info": _info(settings),
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": dict(_BEARER)},
        "paths": {
            prefix + "/": {"get": health},
            prefix + "/score": {"post": score},
            prefix + "/swagger.json": {"get": swagger},
        },
        "definitions": {"ServiceInput": service_input, "ServiceOutput": service_output, "ErrorResponse": _ERROR},
    }


def _openapi3(settings: Settings, service_input: Any, service_output: Any) -> Dict[str, Any]:
    def ref(name: str) -> Dict[str, str]:
        return {"$ref": "#/components/schemas/" + name}

    def answers(description: str, kind: str, schema: Any) -> Dict[str, Any]:
        failed = {"description": _FAILED, "content": {"application/json": {"schema": ref("ErrorResponse")}}}
        return {"200": {"description": description, "content": {kind: {"schema": schema}}}, "default": failed}

    health = {
        "operationId": "ServiceHealthCheck",
        "description": _HEALTH_TEXT,
        "responses": answers(_HEALTHY, "text/plain", {"type": "string", "example": "Healthy"}),
    }
    score = {
        "operationId": "RunMLService",
        "description": _SCORE_TEXT,
        "security": [{"Bearer": []}],
        "requestBody": {
            "description": _PAYLOAD_TEXT,
            "content": {"application/json": {"schema": ref("ServiceInput")}},
        },
        "responses": answers(_SCORED, "application/json", ref("ServiceOutput")),
    }
    version = {"name": "version", "in": "query", "required": False, "schema": {"type": "integer", "enum": [2, 3]}}
    swagger = {
        "operationId": "GetSwaggerSpec",
        "description": "Get the Swagger specification.",
        "parameters": [version],
        "responses": answers("The Swagger specification.", "text/plain", {"type": "string"}),
    }
    prefix = _prefix(settings)
    schemas = {"ServiceInput": service_input, "ServiceOutput": service_output, "ErrorResponse": _ERROR}
    return {
        "openapi": "3.0.3",
        "info": _info(settings),
        "security": [{"Bearer": []}],
        "paths": {
            prefix + "/": {"get": health},
            prefix + "/score": {"post": score},
            prefix + "/swagger.json": {"get": swagger},
        },
        "components": {"schemas": schemas, "securitySchemes": {"Bearer": dict(_BEARER)}},
    }
