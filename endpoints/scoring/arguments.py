"""From a request to the arguments of run(): raw, by inference schema, or one JSON string. Knows only refusals."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl

from .api.aml_request import FORM_TYPES, AMLRequest, is_raw_requested, title_case
from .api.aml_response import JSON
from .failure import FUNCTION_NOT_FOUND, BootFailure
from .http.request import HttpRequest

Arguments = Dict[str, Any]
_OWN_ADAPTER = "__slipway_adapter__"


class InputRefused(Exception):
    """The request cannot become arguments; `status` and the message go to the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Adapter:
    """How run() wants its input. `is_raw`: every method of HTTP reaches it."""

    is_raw = False

    def arguments(self, request: HttpRequest) -> Arguments:
        """Raises InputRefused."""
        raise NotImplementedError

    def describe(self) -> str:
        """A sentence for the log."""
        raise NotImplementedError

    def schemas(self, version: str) -> Optional[Tuple[Any, Any]]:
        """Input and output of run() for the swagger document of that version; None where the adapter cannot tell."""
        return None


class RawAdapter(Adapter):
    is_raw = True

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def arguments(self, request: HttpRequest) -> Arguments:
        raw = AMLRequest(request.method, request.target, request.headers, request.body, route=request.route)
        return {self._parameter: raw}

    def describe(self) -> str:
        return "run() is decorated with @rawhttp. Server will invoke it with the request object."


class StringAdapter(Adapter):
    """The body as it is, in a string; of a GET, its query as JSON."""

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def arguments(self, request: HttpRequest) -> Arguments:
        if request.is_get:
            return {self._parameter: json.dumps(query_values(request.query))}
        if request.content_type != JSON and media_type(request) in FORM_TYPES:
            return {self._parameter: ""}  # the original's framework has taken the form out of the body
        try:
            return {self._parameter: request.body.decode("utf-8")}
        except UnicodeDecodeError as error:
            raise InputRefused(400, "Input cannot be decoded as UTF-8: %s" % error) from None

    def describe(self) -> str:
        return "run() is not decorated. Server will invoke it with the input in JSON string."


class SchemaAdapter(Adapter):
    """Members of a JSON object, by the names of run()'s parameters."""

    def __init__(self, parameters: List[inspect.Parameter]) -> None:
        self._parameters = parameters

    def arguments(self, request: HttpRequest) -> Arguments:
        values = query_values(request.query) if request.is_get else json_object(request)
        arguments: Arguments = {}
        for parameter in self._parameters:
            value = values.get(parameter.name, parameter.default)
            if value is inspect.Parameter.empty:
                raise InputRefused(400, "A value is not provided for the %r parameter." % parameter.name)
            arguments[parameter.name] = value
        return arguments

    def describe(self) -> str:
        names = ", ".join([parameter.name for parameter in self._parameters])
        return "run() is decorated with @input_schema. Server will invoke it with the following arguments: %s." % names


def json_object(request: HttpRequest) -> Dict[str, Any]:
    """The body as the contract wants it of scripts that name their parameters. Raises InputRefused."""
    kind = media_type(request)
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise InputRefused(415, "Expects Content-Type to be application/json")
    try:
        values = json.loads(request.body)
    except json.JSONDecodeError as error:
        if not request.body:
            raise InputRefused(400, "POST body is empty. Expecting a JSON dictionary.") from None
        raise InputRefused(400, "POST body could not be decoded as JSON: %s" % error) from None
    if not isinstance(values, dict):
        raise InputRefused(400, "POST body should be a JSON dictionary.")
    return values


def media_type(request: HttpRequest) -> str:
    return _media_type(request.content_type)


@functools.lru_cache(maxsize=64)
def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def adapt(run: Callable[..., Any]) -> Tuple[Adapter, bool]:
    """The adapter for run(), and whether it wants `request_headers` too. Raises BootFailure."""
    if (own := own_adapter(run)) is not None:
        return own, False
    parameters = list(inspect.signature(run).parameters.values())
    if any(parameter.kind not in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters):
        raise _unusable("run() cannot accept positional-only arguments, *args, or **kwargs.")
    wants_headers = any(parameter.name == "request_headers" for parameter in parameters)
    parameters = [parameter for parameter in parameters if parameter.name != "request_headers"]
    if not parameters:
        other = 'other than "request_headers"' if wants_headers else "for input data"
        raise _unusable("run() needs to accept an argument %s." % other)
    first = parameters[0].name
    if is_raw_requested():
        if is_schema_decorated(run):
            raise _unusable("run() cannot be decorated with both @rawhttp and @input_schema")
        return RawAdapter(first), wants_headers
    if is_schema_decorated(run):
        return SchemaAdapter(parameters), wants_headers
    return StringAdapter(first), wants_headers


def adapted_by(adapter: Adapter) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a run() of the server's own, which knows best how to read requests."""

    def mark(run: Callable[..., Any]) -> Callable[..., Any]:
        setattr(run, _OWN_ADAPTER, adapter)
        return run

    return mark


def own_adapter(run: Callable[..., Any]) -> Optional[Adapter]:
    found = getattr(run, _OWN_ADAPTER, None)
    return found if isinstance(found, Adapter) else None


def is_schema_decorated(run: Callable[..., Any]) -> bool:
    """Only a script that imported inference_schema can be."""
    if "inference_schema" not in sys.modules:
        return False
    schema_util = importlib.import_module("inference_schema.schema_util")
    return bool(schema_util.is_schema_decorated(run))


def request_headers(request: HttpRequest) -> Dict[str, str]:
    return {title_case(name): value for name, value in request.headers.items()}


def query_values(query: str) -> Dict[str, Any]:
    """Each value as JSON where it is JSON; a repeated name makes a list."""
    values: Dict[str, List[Any]] = {}
    for name, text in parse_qsl(query, keep_blank_values=True, errors="replace"):
        values.setdefault(name, []).append(_json_or_text(text))
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unusable(message: str) -> BootFailure:
    return BootFailure(FUNCTION_NOT_FOUND, message, advice="Declare it as run(raw_data).")
