"""A small client of the studio's REST API (/api/v1). Knows addresses and answers; prints nothing.

Refusals become StudioError with the studio's own sentence, silence becomes StudioUnreachable.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

# httpx carries a command line of its own, whose libraries take longer to load than the rest of ours together. A module
# that is None counts as absent, which httpx provides for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

from endpoints.cli.connection import Connection  # noqa: E402
from endpoints.cli.failures import StudioError, StudioUnreachable  # noqa: E402
from endpoints.spec.dropped_logs import HEADER  # noqa: E402
from endpoints.spec.errors import FieldError  # noqa: E402

Json = dict[str, Any]

_PAGE = 1000
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
# Completing an upload hashes and moves what may be many gigabytes; a scoring call may take its three minutes.
_LONG_TIMEOUT = httpx.Timeout(600.0, connect=5.0)


class StudioClient:
    """One studio, one token. Close it, or use it as a context manager."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self._http = httpx.Client(
            base_url=f"{connection.url}/api/v1/",
            headers={"Authorization": f"Bearer {connection.token}", "Accept": "application/json"},
            timeout=_TIMEOUT,
            # A studio on this machine is never behind the proxy that the environment names.
            trust_env=not _is_local(connection.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    # Asking ------------------------------------------------------------------------------------------------

    def get(self, *path: str, **query: object) -> Any:
        return self._call("GET", path, params=_query(query))

    def list_all(self, *path: str, **query: object) -> list[Json]:
        """Every item of a list, page after page."""
        items: list[Json] = []
        with self._translated():
            answer = self._http.get(_address(path), params=_query({**query, "limit": _PAGE}))
            while True:
                _raise_for(answer)
                items += _decoded(answer)
                following = answer.links.get("next")
                if not following:
                    return items
                answer = self._http.get(following["url"])

    def post(self, *path: str, json: object = None, is_long: bool = False, **query: object) -> Any:
        return self._call("POST", path, json=json, params=_query(query), timeout=_LONG_TIMEOUT if is_long else _TIMEOUT)

    def put(self, *path: str, json: object, **query: object) -> Any:
        return self._call("PUT", path, json=json, params=_query(query))

    def patch(self, *path: str, json: object, **query: object) -> Any:
        return self._call("PATCH", path, json=json, params=_query(query))

    def delete(self, *path: str) -> Any:
        return self._call("DELETE", path)

    def put_part(self, upload_id: str, *, path: str, offset: int, length: int, chunks: Iterable[bytes]) -> None:
        """Send `length` bytes of a file of an upload, read from `chunks` while they go; sending again is no harm."""
        address = _address(("uploads", upload_id, "files"))
        with self._translated():
            answer = self._http.put(
                address,
                params={"path": path, "offset": offset},
                content=chunks,
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
                timeout=_LONG_TIMEOUT,
            )
            _raise_for(answer)

    def invoke(self, endpoint: str, *, body: bytes, content_type: str, deployment: str | None) -> Any:
        """Score through the studio: `{status, headers, body, seconds, deployment, request_id}`."""
        headers = {"Content-Type": content_type}
        if deployment:
            headers["azureml-model-deployment"] = deployment
        with self._translated():
            answer = self._http.post(
                _address(("online-endpoints", endpoint, "invoke")), content=body, headers=headers, timeout=_LONG_TIMEOUT
            )
            _raise_for(answer)
            return _decoded(answer)

    def lines(self, *path: str, told: Callable[[str], object] = lambda _: None, **query: object) -> Iterator[str]:
        """Lines of a text answer as they come; for as long as they come. told: of log lines that are missing."""
        with (
            self._translated(),
            self._http.stream(
                "GET",
                _address(path),
                params=_query(query),
                headers={"Accept": "text/plain"},
                timeout=httpx.Timeout(5.0, read=None),
            ) as answer,
        ):
            if answer.is_error:
                answer.read()
                _raise_for(answer)
            if missing := answer.headers.get(HEADER):
                told(missing)
            yield from answer.iter_lines()

    def download(self, *path: str, into: IO[bytes]) -> Iterator[int]:
        """Write the answer to `into`, yielding how many bytes came each time."""
        with (
            self._translated(),
            self._http.stream("GET", _address(path), headers={"Accept": "*/*"}, timeout=_LONG_TIMEOUT) as answer,
        ):
            if answer.is_error:
                answer.read()
                _raise_for(answer)
            for chunk in answer.iter_bytes(1024 * 1024):
                into.write(chunk)
                yield len(chunk)

    def _call(self, method: str, path: tuple[str, ...], **options: Any) -> Any:
        with self._translated():
            answer = self._http.request(method, _address(path), **options)
            _raise_for(answer)
            return _decoded(answer)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Failures of the network, told as what they mean here."""
        try:
            yield
        except httpx.ConnectError as error:
            raise StudioUnreachable(
                f"The studio at {self.url} does not answer.", hints=["Start it with: slipway up"]
            ) from error
        except httpx.TimeoutException as error:
            raise StudioUnreachable(f"The studio at {self.url} did not answer in time.") from error
        except httpx.TransportError as error:
            raise StudioUnreachable(f"The connection to {self.url} broke: {error}.") from error
        except httpx.InvalidURL as error:
            raise StudioUnreachable(f"'{self.url}' is not the address of a studio: {error}.") from error


def _is_local(url: str) -> bool:
    host = httpx.URL(url).host
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")


def _address(path: tuple[str, ...]) -> str:
    return "/".join(quote(part, safe="") for part in path)


def _query(query: Mapping[str, object]) -> dict[str, str]:
    """Without what is None; booleans as true and false."""
    return {key: str(value).lower() if value is True else str(value) for key, value in query.items() if value}


def _decoded(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        message = f"{answer.url} did not answer as a studio does; is SLIPWAY_URL the address of one?"
        raise StudioError(message, status=502, code="BadAnswer") from error


def _raise_for(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        error = answer.json()["error"]
        details = [
            FieldError(str(each.get("field") or ""), str(each.get("message") or ""), each.get("line"))
            for each in error.get("details") or ()
        ]
        message, code, request_id = str(error["message"]), str(error.get("code", "")), str(error.get("id") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"The studio answered {answer.status_code} {answer.reason_phrase}."
        raise StudioError(message, status=answer.status_code, code="") from None
    if answer.status_code == 401:
        message = f"The studio does not accept the token: {message}"
    raise StudioError(message, status=answer.status_code, code=code, details=details, request_id=request_id)
