"""The heads the gateway writes: of requests to instances and of answers to clients. Pure."""

from __future__ import annotations

from typing import Final

from endpoints.gateway.errors import STATUS_LINES
from endpoints.gateway.parsing import RequestHead

_BODY_METHODS: Final = (b"POST", b"PUT", b"PATCH")
MODEL_ERROR: Final = b"\r\nms-azureml-model-error-statuscode: %d\r\nms-azureml-model-error-reason: model_error"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def request_prefix(head: RequestHead, *, scoring_path: bytes, forwarded: bytes, length: int | None = None) -> bytes:
    """A request's head up to the value of x-request-id, its last header.

    forwarded: lines about the client. length: of the body when it is not framed as the client did.
    """
    path = head.path
    if path == b"/score":
        path = scoring_path
    elif path.startswith(b"/score?"):
        path = scoring_path + path[6:]
    lines = [head.method, b" ", path, b" HTTP/1.1\r\nhost: ", head.host or b"localhost", head.fields, forwarded]
    if head.origin:
        lines += b"\r\norigin: ", head.origin
    if head.client_request_id:
        lines += b"\r\nx-ms-client-request-id: ", head.client_request_id
    size = head.content_length if length is None else length
    if size < 0:
        lines.append(b"\r\ntransfer-encoding: chunked")
    elif size or head.method in _BODY_METHODS:
        lines.append(b"\r\ncontent-length: %d" % size)
    if head.upgrade:
        lines += b"\r\nconnection: Upgrade\r\nupgrade: ", head.upgrade
    lines.append(b"\r\nx-request-id: ")
    return b"".join(lines)


def chunk(piece: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK: Final = b"0\r\n\r\n"


def connection_fields(head: RequestHead | None, *, is_keep_alive: bool) -> bytes:
    """The Connection header where the version's default does not say it already."""
    if not is_keep_alive:
        return b"\r\nconnection: close"
    return b"\r\nconnection: keep-alive" if head is not None and head.minor_version == 0 else b""


def status_line(status: int) -> bytes:
    """Of any three-digit status."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown" % status


def answer_start(status: int, fields: bytes) -> bytes:
    """Status line and the model's own headers; anything but 2xx becomes 424 and says what the model answered."""
    if 200 <= status < 300:
        return status_line(status) + fields
    return STATUS_LINES[424] + fields + MODEL_ERROR % status
