"""Request and answer bodies as people read them: samples, JSON laid out, images, and what is none of these."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EMPTY_SAMPLE = '{"data": []}'
# Under these names a sample request may be kept with a model or deployment.
SAMPLE_PROPERTIES = ("sample_request", "sample_input", "sample_input_data")
_PLAIN_LIST = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]")
_LINE_BREAK = re.compile(r"\n\s*")
_MAX_TEXT = 100_000
_MAX_IMAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JsonProblem:
    """Where a text stops being JSON: 1-based line and column, and what was expected there."""

    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ShownBody:
    """An answer's body: text, or an image as a data URL, or only its size. is_cut: the text goes on."""

    text: str = ""
    image_url: str = ""
    size_bytes: int = 0
    is_cut: bool = False
    is_binary: bool = False


def json_problem(text: str) -> JsonProblem | None:
    """Why `text` is not JSON, None where it is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return JsonProblem(error.msg, error.lineno, error.colno)
    except (RecursionError, ValueError) as error:
        return JsonProblem(str(error), 1, 1)
    return None


def laid_out(value: object) -> str:
    """JSON with an indent, lists of plain values on one line each."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # A line break never stands inside a JSON string, so taking breaks out changes no value.
    return _PLAIN_LIST.sub(lambda found: f"[{_LINE_BREAK.sub(' ', found[1])}]", text)


def shown(body: bytes, content_type: str) -> ShownBody:
    """`body` for the page: JSON laid out, text as it is, images drawn, the rest as its size."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("image/") and kind != "image/svg+xml" and len(body) <= _MAX_IMAGE_BYTES:
        return ShownBody(image_url=f"data:{kind};base64,{base64.b64encode(body).decode()}", size_bytes=len(body))
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return ShownBody(size_bytes=len(body), is_binary=True)
    if kind.endswith("json") or text[:1] in {"{", "["}:
        text = _pretty(text)
    return ShownBody(text=text[:_MAX_TEXT], size_bytes=len(body), is_cut=len(text) > _MAX_TEXT)


def swagger_sample(swagger: object) -> str:
    """The example request of a swagger document (2 or 3), "" where it has none worth showing."""
    if not isinstance(swagger, Mapping):
        return ""
    for path in (("definitions",), ("components", "schemas")):
        example = _inside(swagger, (*path, "ServiceInput", "example"))
        if example not in (None, {}, "", []):
            return laid_out(example)
    return ""


def kept_sample(properties: Iterable[Mapping[str, object]]) -> str:
    """The first sample request among some assets' properties or tags, "" for none."""
    for mapping in properties:
        for name in SAMPLE_PROPERTIES:
            if value := mapping.get(name):
                return _pretty(value) if isinstance(value, str) else laid_out(value)
    return ""


def _pretty(text: str) -> str:
    try:
        return laid_out(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _inside(value: object, path: Iterable[str]) -> object:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
