"""JSON Schema of the documents users write, taken from the very classes that read them; and of every error."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from endpoints.spec.documents import AssetReference, FileLocation
from endpoints.spec.schema import Shape

Schema = dict[str, Any]

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    object: {},
    AssetReference: {"type": "string", "description": "azureml:<name>:<version> or azureml:<name>@latest"},
    FileLocation: {"type": "string", "description": "upload:<id> of a completed upload, or tree:<digest>"},
}


def _object(shape: type[Any]) -> Schema:
    hints = get_type_hints(shape, include_extras=True)
    fields = dataclasses.fields(shape)
    required = [field.name for field in fields if _is_required(field)]
    schema: Schema = {
        "type": "object",
        "properties": {field.name: _schema(hints[field.name]) for field in fields},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    if shape.__doc__:
        schema["description"] = shape.__doc__.strip().partition("\n")[0]
    return schema


def schema_of(shape: type[Shape], *, is_partial: bool = False) -> Schema:
    """The document's schema; with `is_partial` nothing is required of it."""
    schema = _object(shape)
    if is_partial:
        schema.pop("required", None)
    return schema


def documents(shape: type[Shape], *, is_partial: bool = False) -> dict[str, Schema]:
    """By media type: the same document may come as JSON or as YAML."""
    schema = schema_of(shape, is_partial=is_partial)
    return {"application/json": schema, "application/yaml": schema}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _schema(hint: Any) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _schema(arguments[0])
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin in {Union, types.UnionType}:
        options = [_schema(each) for each in arguments if each is not type(None)]
        return options[0] if len(options) == 1 else {"oneOf": options}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    return _SIMPLE[hint] if hint in _SIMPLE else _object(hint)


ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "id"],
            "properties": {
                "code": {"type": "string", "description": "A stable word for programs."},
                "message": {"type": "string", "description": "A sentence a person can act on."},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message", "line"],
                        "properties": {
                            "field": {"type": "string", "description": "Dotted path in the document."},
                            "message": {"type": "string"},
                            "line": {"type": "integer", "nullable": True},
                        },
                    },
                },
                "id": {"type": "string", "description": "Names this answer in the studio's log."},
            },
        }
    },
}


def add_errors(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Every operation may answer with the one error shape."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path in result.get("paths", {}).values():
        for operation in path.values():
            operation["responses"]["default"] = {"description": "A refusal or a failure.", "content": content}
    return result
