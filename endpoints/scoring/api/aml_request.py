"""AMLRequest, the request object of scripts that ask for raw HTTP, and the decorator that asks for it."""

from __future__ import annotations

import io
import json
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar
from urllib.parse import unquote_to_bytes

from .forms import MultiDict, options_of, parse_form, parse_query

_F = TypeVar("_F", bound=Callable[..., Any])

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class _Requested:
    """Decorating any function asks for raw requests for the whole script."""

    is_raw = False


def rawhttp(func: _F) -> _F:
    """Have run() called with the request itself."""
    _Requested.is_raw = True
    return func


def is_raw_requested() -> bool:
    return _Requested.is_raw


def title_case(name: str) -> str:
    return "-".join([part.capitalize() for part in name.split("-")])


class RequestHeaders(Dict[str, str]):
    """Title-Case names; looked up without case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(title_case(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(title_case(name))

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002
        value = super().get(title_case(name), default)
        return type(value) if type is not None and value is not default else value

    def getlist(self, name: str) -> List[str]:
        value = self.get(name)
        return [] if value is None else value.split(",")


class RequestError(Exception):
    """The body is not what the script asked for; uncaught, the caller gets the script error of contract."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class AMLRequest:
    """The parts of Flask's request that scripts use, computed when asked for."""

    def __init__(self, method: str, target: str, headers: Dict[str, str], body: bytes, *, route: str = "") -> None:
        self.method = method
        self._raw_path, _, query = target.partition("?")
        self._query = query
        self.path = route or unquote_to_bytes(self._raw_path).decode("utf-8", "replace")
        self.headers = RequestHeaders((title_case(name), value) for name, value in headers.items())
        self._body = body
        self._form: Optional[Tuple[MultiDict, MultiDict]] = None
        self._args: Optional[MultiDict] = None
        self._stream: Optional[io.BytesIO] = None
        self.environ = {"REQUEST_METHOD": method, "PATH_INFO": self.path, "QUERY_STRING": query}
        self.remote_addr = "127.0.0.1"
        self.scheme = headers.get("x-forwarded-proto", "http")

    # Address

    @property
    def host(self) -> str:
        return str(self.headers.get("Host", "localhost"))

    @property
    def query_string(self) -> bytes:
        return self._query.encode("latin-1")

    @property
    def full_path(self) -> str:
        return self.path + "?" + self._query

    @property
    def host_url(self) -> str:
        return "%s://%s/" % (self.scheme, self.host)

    url_root = host_url

    @property
    def base_url(self) -> str:
        return self.host_url.rstrip("/") + self.path

    @property
    def url(self) -> str:
        return self.base_url + ("?" + self._query if self._query else "")

    @property
    def args(self) -> MultiDict:
        if self._args is None:
            self._args = parse_query(self._query)
        return self._args

    # Body

    @property
    def content_type(self) -> Optional[str]:
        return self.headers.get("Content-Type")  # type: ignore[no-any-return]

    @property
    def mimetype(self) -> str:
        return options_of(self.content_type or "")[0]

    @property
    def mimetype_params(self) -> Dict[str, str]:
        return options_of(self.content_type or "")[1]

    @property
    def content_length(self) -> Optional[int]:
        return len(self._body) if "Content-Length" in self.headers or self._body else None

    @property
    def is_json(self) -> bool:
        kind = self.mimetype
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

    @property
    def data(self) -> bytes:
        """The body; empty for a form, which `form` and `files` hold."""
        return b"" if self.mimetype in FORM_TYPES else self._body

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        body = self.data if parse_form_data else self._body
        return body.decode("utf-8", "replace") if as_text else body

    @property
    def stream(self) -> io.BytesIO:
        if self._stream is None:
            self._stream = io.BytesIO(self._body)
        return self._stream

    @property
    def json(self) -> Any:
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Raises RequestError (415 without a JSON content type, 400 for bad JSON) unless `silent`."""
        if not (force or self.is_json):
            if silent:
                return None
            raise RequestError(
                415, "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."
            )
        try:
            return json.loads(self._body)
        except ValueError as error:
            if silent:
                return None
            raise RequestError(400, "Failed to decode JSON object: %s" % error) from None

    @property
    def form(self) -> MultiDict:
        return self._parsed_form()[0]

    @property
    def files(self) -> MultiDict:
        return self._parsed_form()[1]

    @property
    def values(self) -> MultiDict:
        pairs = [(name, value) for source in (self.args, self.form) for name, all_ in source.lists() for value in all_]
        return MultiDict(pairs)

    @property
    def cookies(self) -> MultiDict:
        pairs = [part.strip().partition("=") for part in str(self.headers.get("Cookie", "")).split(";") if "=" in part]
        return MultiDict((name, value) for name, _, value in pairs)

    def _parsed_form(self) -> Tuple[MultiDict, MultiDict]:
        if self._form is None:
            self._form = parse_form(self._body, self.content_type or "")
        return self._form

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __repr__(self) -> str:
        return "<AMLRequest %r [%s]>" % (self.url, self.method)
