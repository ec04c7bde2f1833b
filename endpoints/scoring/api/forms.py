"""Form bodies, urlencoded and multipart, as the request object of scripts offers them."""

from __future__ import annotations

import io
from email.message import Message
from typing import Any, Dict, Iterable, List, Optional, Tuple
from urllib.parse import parse_qsl

MAX_PARTS = 1000


class MultiDict(Dict[str, Any]):
    """A dict of first values that remembers the others: `getlist`."""

    def __init__(self, pairs: Iterable[Tuple[str, Any]] = ()) -> None:
        super().__init__()
        self._lists: Dict[str, List[Any]] = {}
        for name, value in pairs:
            self.setdefault(name, value)
            self._lists.setdefault(name, []).append(value)

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002  the name scripts use
        value = super().get(key, default)
        if type is None or value is default:
            return value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default

    def getlist(self, key: str, type: Any = None) -> List[Any]:  # noqa: A002
        values = self._lists.get(key, [])
        return [type(value) for value in values] if type else list(values)

    def to_dict(self, flat: bool = True) -> Dict[str, Any]:
        return dict(self) if flat else {name: list(values) for name, values in self._lists.items()}

    def lists(self) -> Iterable[Tuple[str, List[Any]]]:
        return self._lists.items()


class UploadedFile(io.BytesIO):
    """One file of a multipart body: filename, content_type, name, read(), save(path), stream."""

    def __init__(self, data: bytes, *, name: str, filename: str, content_type: str) -> None:
        super().__init__(data)
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.mimetype = content_type.split(";")[0].strip().lower()
        self.content_length = len(data)

    @property
    def stream(self) -> UploadedFile:
        return self

    def save(self, target: Any) -> None:
        if hasattr(target, "write"):
            target.write(self.getvalue())
            return
        with open(target, "wb") as file:
            file.write(self.getvalue())


def parse_query(query: str) -> MultiDict:
    return MultiDict(parse_qsl(query, keep_blank_values=True, errors="replace"))


def options_of(header: str) -> Tuple[str, Dict[str, str]]:
    """`multipart/form-data; boundary=x` as ("multipart/form-data", {"boundary": "x"})."""
    message = Message()
    message["content-type"] = header
    parameters = message.get_params() or [("", "")]
    values = {name.lower(): _plain(value) for name, value in parameters[1:]}
    return parameters[0][0].lower(), values


def parse_form(body: bytes, content_type: str) -> Tuple[MultiDict, MultiDict]:
    """(fields, files); both empty for any other content type or a broken body."""
    kind, options = options_of(content_type)
    if kind == "application/x-www-form-urlencoded":
        return parse_query(body.decode("utf-8", "replace")), MultiDict()
    if kind != "multipart/form-data" or not options.get("boundary"):
        return MultiDict(), MultiDict()
    fields: List[Tuple[str, str]] = []
    files: List[Tuple[str, UploadedFile]] = []
    for headers, data in _parts(body, options["boundary"].encode("latin-1", "replace")):
        _, disposition = options_of(headers.get("content-disposition", ""))
        name = disposition.get("name")
        if name is None:
            continue
        if "filename" in disposition:
            kind = headers.get("content-type", "application/octet-stream")
            file = UploadedFile(data, name=name, filename=disposition["filename"], content_type=kind)
            files.append((name, file))
        else:
            fields.append((name, data.decode("utf-8", "replace")))
    return MultiDict(fields), MultiDict(files)


def _parts(body: bytes, boundary: bytes) -> Iterable[Tuple[Dict[str, str], bytes]]:
    """Parts between the boundaries; the first and the last piece are preamble and epilogue."""
    delimiter = b"\r\n--" + boundary
    for piece in (b"\r\n" + body).split(delimiter)[1 : MAX_PARTS + 1]:
        if piece.startswith(b"--"):
            return
        head, found, data = piece.partition(b"\r\n\r\n")
        if not found:
            continue
        headers: Dict[str, str] = {}
        for line in head.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                headers[name.strip().lower().decode("latin-1")] = value.strip().decode("utf-8", "replace")
        yield headers, data


def _plain(value: Optional[Any]) -> str:
    """RFC 2231 values come as (charset, language, text)."""
    if isinstance(value, tuple):
        return str(value[2])
    return (value or "").strip('"')
