"""An MLflow model's signature and input example as the schemas of its swagger documents. Knows no requests."""

from __future__ import annotations

import json
import logging
import os
from typing import Any, Dict, List, Optional, Tuple

from .mlflow_data import BadInput, Reader, is_required, plain

logger = logging.getLogger("azmlinfsrv.swagger")

_TYPES: Dict[str, Dict[str, Any]] = {
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}
_SAMPLES: Dict[str, Any] = {
    "integer": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "boolean": False,
    "string": "text",
    "binary": "",
    "datetime": "2025-01-01T00:00:00",
}
_EXAMPLE_ROWS = 5
_EXAMPLE_BYTES = 32 * 1024


class Describer:
    """Made once, when the model is loaded. path: the model's folder."""

    def __init__(self, metadata: Any, reader: Reader, path: str) -> None:
        self._reader = reader
        self._params = _params_of(metadata)
        self._input = self._service_input(metadata, path)
        self._output = _output(metadata.get_output_schema())

    def schemas(self) -> Tuple[Any, Any]:
        """Of a request and of an answer to `input_data`; the same in every version of OpenAPI."""
        return self._input, self._output

    def _service_input(self, metadata: Any, path: str) -> Dict[str, Any]:
        properties = self._properties()
        if self._params:
            properties["params"] = {
                "type": "object",
                "properties": {spec.name: _param(spec) for spec in self._params},
            }
        schema: Dict[str, Any] = {"type": "object", "properties": properties}
        example = self._example(metadata, path)
        if example is not None:
            schema["example"] = example
        return schema

    def _properties(self) -> Dict[str, Any]:
        """One key of them is to be given: Azure's, or one of MLflow's."""
        if self._reader.columns:
            table = _table(self._reader.columns)
            records = {"type": "array", "items": _record(self._reader.columns)}
            return {"input_data": table, "dataframe_split": table, "dataframe_records": records}
        value = (
            _tensors(self._reader.tensors) if self._reader.tensors else {"description": "The model has no signature."}
        )
        if self._reader.is_unnamed:
            value = {"description": "Values of the type the model's signature names."}
        return {"input_data": value, "inputs": value}

    def _example(self, metadata: Any, path: str) -> Optional[Dict[str, Any]]:
        """The model's own where it can be sent as it is, else one made from the signature."""
        for value, params in (self._own_example(metadata, path), (self._sample(), {})):
            if value is None:
                continue
            example: Dict[str, Any] = {"input_data": value}
            given = {**{spec.name: plain(spec.default) for spec in self._params}, **params}
            if given:
                example["params"] = given
            if self._is_usable(value) and len(json.dumps(example)) <= _EXAMPLE_BYTES:
                return example
        return None

    def _is_usable(self, value: Any) -> bool:
        try:
            self._reader.azure(value, "input_data")
        except BadInput as refused:
            logger.info("The model's input example is not used: %s", refused)
            return False
        return True

    @staticmethod
    def _own_example(metadata: Any, path: str) -> Tuple[Any, Dict[str, Any]]:
        info = getattr(metadata, "saved_input_example_info", None) or {}
        name = info.get("artifact_path")
        if not name or info.get("type") not in ("dataframe", "ndarray", "json_object"):
            return None, {}
        try:
            with open(os.path.join(path, name), encoding="utf-8") as file:
                value = json.load(file)
        except (OSError, ValueError) as error:
            logger.warning("The model's input example cannot be read: %s", error)
            return None, {}
        params: Dict[str, Any] = {}
        if isinstance(value, dict) and "inputs" in value and set(value) <= {"inputs", "params"}:
            params, value = value.get("params") or {}, value["inputs"]
        return _cut(value), params

    def _sample(self) -> Any:
        if self._reader.columns:
            names = [str(column.name) for column in self._reader.columns]
            return {"columns": names, "index": [0], "data": [[_sample_of(column) for column in self._reader.columns]]}
        tensors = self._reader.tensors
        if len(tensors) == 1 and not tensors[0].name:
            return _zeros(tensors[0])
        return {spec.name: _zeros(spec) for spec in tensors} if tensors else None


def _params_of(metadata: Any) -> List[Any]:
    """Models saved before MLflow knew parameters have none."""
    get = getattr(metadata, "get_params_schema", None)
    schema = get() if get is not None else None
    return list(schema.params) if schema is not None else []


def _kind(spec: Any) -> str:
    return str(getattr(spec.type, "name", ""))


def _type(spec: Any) -> Dict[str, Any]:
    return dict(_TYPES.get(_kind(spec), {"description": str(spec.type)}))


def _param(spec: Any) -> Dict[str, Any]:
    schema = dict(_TYPES.get(str(getattr(spec.dtype, "name", "")), {}))
    if getattr(spec, "shape", None) is not None:
        schema = {"type": "array", "items": schema}
    if spec.default is not None:
        schema["default"] = plain(spec.default)
    return schema


def _record(columns: List[Any]) -> Dict[str, Any]:
    schema: Dict[str, Any] = {
        "type": "object",
        "properties": {str(column.name): _type(column) for column in columns},
    }
    required = [str(column.name) for column in columns if is_required(column)]
    if required:
        schema["required"] = required
    return schema


def _table(columns: List[Any]) -> Dict[str, Any]:
    words = [
        "%s (%s%s)" % (column.name, _kind(column) or column.type, "" if is_required(column) else ", optional")
        for column in columns
    ]
    return {
        "type": "object",
        "description": "A table. Columns: %s." % ", ".join(words),
        "properties": {
            "columns": {"type": "array", "items": {"type": "string", "enum": [str(each.name) for each in columns]}},
            "index": {"type": "array", "items": {}},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
        "required": ["columns", "data"],
    }


def _tensor(spec: Any) -> Dict[str, Any]:
    dtype = spec.type
    names = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}
    schema: Dict[str, Any] = {"type": names.get(dtype.kind, "string")}
    for size in reversed(spec.shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema.update(minItems=size, maxItems=size)
    schema["description"] = "%s of the shape %s" % (dtype, tuple(spec.shape))
    return schema


def _tensors(specs: List[Any]) -> Dict[str, Any]:
    if len(specs) == 1 and not specs[0].name:
        return _tensor(specs[0])
    properties = {spec.name: _tensor(spec) for spec in specs}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _output(schema: Any) -> Dict[str, Any]:
    """Of an answer to `input_data`; to MLflow's keys it stands under `predictions`."""
    inputs = list(schema.inputs) if schema is not None else []
    if not inputs:
        return {"description": "What the model predicts."}
    if schema.is_tensor_spec():
        return _tensors(inputs)
    if schema.has_input_names():
        return {"type": "array", "items": _record(inputs)}
    return {"type": "array", "items": _type(inputs[0]) if len(inputs) == 1 else {}}


def _sample_of(column: Any) -> Any:
    return _SAMPLES.get(_kind(column))


def _zeros(spec: Any) -> Any:
    fill: Any = {"f": 0.0, "i": 0, "u": 0, "b": False}.get(spec.type.kind, "text")
    size = 1
    for each in spec.shape:
        size *= max(each, 1)
    if size > _EXAMPLE_BYTES:
        return None
    value = fill
    for each in reversed(spec.shape):
        value = [value for _ in range(max(each, 1))]
    return value


def _cut(value: Any) -> Any:
    """The first rows; a split table with the index that callers of Azure's endpoints are used to."""
    if isinstance(value, list):
        return value[:_EXAMPLE_ROWS]
    if isinstance(value, dict) and "columns" in value and isinstance(value.get("data"), list):
        rows = value["data"][:_EXAMPLE_ROWS]
        return {"columns": value["columns"], "index": list(range(len(rows))), "data": rows}
    return value
