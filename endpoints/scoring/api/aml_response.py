"""AMLResponse: an answer with status and headers of the script's own choosing."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple, Union

HTML = "text/html; charset=utf-8"
JSON = "application/json"
FAILED = "x-ms-run-function-failed"


class ResponseHeaders(List[Tuple[str, str]]):
    """Pairs in order; names are compared without case."""

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        wanted = name.lower()
        return next((value for key, value in self if key.lower() == wanted), default)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str):
            return self.get(name) is not None
        return super().__contains__(name)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            value = self.get(key)
            if value is None:
                raise KeyError(key)
            return value
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self.remove_name(key)
            self.append((key, str(value)))
        else:
            super().__setitem__(key, value)

    def add(self, name: str, value: Any) -> None:
        self.append((name, str(value)))

    def remove_name(self, name: str) -> None:
        wanted = name.lower()
        self[:] = [pair for pair in self if pair[0].lower() != wanted]


class AMLResponse:
    """message: str, bytes, an iterable of them to stream, or with `json_str` anything JSON can hold; None is `{}`.

    response_headers: a value is cut at its commas into repeated headers, as it always has been.
    """

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Dict[str, str] = {},  # noqa: B006  never changed
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        self.status_code = int(status_code)
        self.headers = ResponseHeaders()
        self.response: Union[bytes, Any]
        if message is None or json_str:
            self.headers.add("Content-Type", JSON)
            self.response = json.dumps({} if message is None else message).encode("utf-8")
        else:
            self.response = _body(message)
            if "Content-Type" not in response_headers:
                self.headers.add("Content-Type", HTML)
        self.headers.add(FAILED, run_function_failed)
        for name, value in response_headers.items():
            for part in str(value).split(","):
                self.headers.add(name, part.strip())

    @property
    def is_streamed(self) -> bool:
        return not isinstance(self.response, bytes)

    @property
    def data(self) -> bytes:
        """The whole body; a streamed one is read to its end first."""
        if not isinstance(self.response, bytes):
            chunks = [chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk) for chunk in self.response]
            self.response = b"".join(chunks)
        return self.response

    def get_data(self, as_text: bool = False) -> Any:
        return self.data.decode("utf-8") if as_text else self.data

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    def get_json(self) -> Any:
        return self.json


def _body(message: Any) -> Any:
    if isinstance(message, str):
        return message.encode("utf-8")
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    if hasattr(message, "__iter__") or hasattr(message, "__aiter__"):
        if isinstance(message, (list, tuple)):
            return b"".join([part.encode("utf-8") if isinstance(part, str) else bytes(part) for part in message])
        return message
    raise TypeError("AMLResponse wants str, bytes or an iterable of them, not %s" % type(message).__name__)
