"""Reading HTTP/1.1 heads, strictly: what could be read in two ways is refused. Pure.

One regular expression validates a request's head as a whole; then its lines are sorted into those the gateway acts on
and those that pass on as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from endpoints.gateway.errors import malformed

HEALTH_PATH: Final = b"/-/healthz"  # of the gateway itself
MAX_HEAD_BYTES: Final = 32 * 1024
MAX_TARGET_BYTES: Final = 8 * 1024
MAX_HEADERS: Final = 128
_SPACE: Final = 0x20

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUE: Final = rb"[^\x00-\x08\x0a-\x1f\x7f]"
# A path, a whole URL (as to a proxy), or the server itself: targets of no other form are read by all in one way.
_TARGET: Final = rb"/[!-~]*+|[Hh][Tt][Tt][Pp][Ss]?://[0-9A-Za-z.\-_:\[\]]++(?:[/?][!-~]*+)?|\*"
_REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb"{1,32}+) (" + _TARGET + rb") HTTP/1\.([01])(?=\r\n)")
_FIELDS: Final = re.compile(rb"(?:\r\n" + TOKEN + rb"++:" + VALUE + rb"*+)*+\r\n\r\n")
MAX_LENGTH_DIGITS: Final = 18
_CLIENT_REQUEST_ID: Final = re.compile(rb"[^0-9A-Za-z_\-]+")
_HOST: Final = re.compile(rb"[0-9A-Za-z.\-_:\[\]%~!$&'()*+,;=]*")

_HOP_NAMES: Final = frozenset({b"keep-alive", b"close", b"upgrade", b"te", b"trailer", b"transfer-encoding", b""})
# Cut out of every request: acted on, replaced, or meant for this hop alone. True: may be given only once.
_REQUEST_SPECIAL: Final[dict[bytes, bool]] = {
    b"host": True,
    b"content-length": True,
    b"transfer-encoding": True,
    b"authorization": True,
    b"azureml-model-deployment": True,
    b"upgrade": True,
    b"connection": False,
    b"trailer": False,
    b"te": False,
    b"x-request-id": False,
    b"x-ms-client-request-id": False,
    b"x-forwarded-for": False,
    b"x-forwarded-proto": False,
    b"x-forwarded-host": False,
    b"expect": False,
    b"forwarded": False,
    b"origin": False,
    b"keep-alive": False,
    b"proxy-connection": False,
    b"proxy-authorization": False,
    b"proxy-authenticate": False,
}


def _letters(names: Iterable[bytes], at: int) -> bytes:
    """A table: 1 for the letters, of either case, that one of the names has at that place."""
    found = b"".join(name[at : at + 1] for name in names)
    return bytes(chr(code).lower().encode("latin-1") in found for code in range(256))


# Most lines are spared the walk to their colon by the first two letters.
_REQUEST_FIRST: Final = _letters(_REQUEST_SPECIAL, 0)
_REQUEST_SECOND: Final = _letters(_REQUEST_SPECIAL, 1)


class RequestHead:
    """One validated request head.

    content_length: of the body, 0 for none, -1 for chunked. fields: the headers to pass on, each line preceded by
    CRLF. The attributes below the line are the gateway's memory of what it decided for this very head, so that the
    next request of the same connection with the same bytes needs no second decision.
    """

    __slots__ = (
        "authorised_until",
        "authorization",
        "client_request_id",
        "content_length",
        "decided_for",
        "deployment",
        "endpoint",
        "endpoint_name",
        "expects_continue",
        "fields",
        "host",
        "is_keep_alive",
        "is_plain",
        "is_upgrade",
        "is_usual_for",
        "method",
        "minor_version",
        "origin",
        "path",
        "prefix",
        "prefix_for",
        "target",
        "upgrade",
    )

    def __init__(self, method: bytes, target: bytes, minor_version: int) -> None:
        self.method = method
        self.target = target
        self.minor_version = minor_version
        self.is_keep_alive = minor_version == 1
        self.content_length = 0
        self.expects_continue = False
        self.is_upgrade = False
        self.upgrade = b""
        self.host = b""
        self.authorization = b""
        self.deployment = ""
        self.client_request_id = b""
        self.origin = b""
        self.fields = b""
        # ---
        self.decided_for: object = None
        self.endpoint: Any = None
        self.endpoint_name = ""
        self.path = b""
        self.authorised_until = -1.0
        self.is_usual_for: object = None
        self.is_plain = False
        self.prefix = b""
        self.prefix_for: object = None


def means_health(head: RequestHead) -> bool:
    """Whether it asks how the gateway itself is."""
    return head.target.partition(b"?")[0] == HEALTH_PATH


def parse_request_head(raw: bytes) -> RequestHead:
    """Read a whole head, from the method to the empty line. Raises Refusal."""
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _bad_request_line(raw)
    method, target, minor = line.groups()
    if len(target) > MAX_TARGET_BYTES:
        raise malformed("The request target is too long.", status=414, code="UriTooLong")
    if _FIELDS.fullmatch(raw, line.end()) is None:
        raise malformed("A header line is malformed: each is a name, a colon, a value and CRLF, without control bytes.")
    if raw.count(b"\n") > MAX_HEADERS + 2:
        raise malformed(f"More than {MAX_HEADERS} headers.", status=431, code="HeadersTooLarge")
    head = RequestHead(method, target, 1 if minor == b"1" else 0)
    lines: list[bytes] = raw[line.end() : -4].split(b"\r\n")
    kept = [b""]
    special: dict[bytes, bytes] = {}
    for one in lines[1:]:
        if not (_REQUEST_FIRST[one[0]] and _REQUEST_SECOND[one[1]]):
            kept.append(one)
            continue
        colon = one.find(b":")
        name = one[:colon].lower()
        is_single = _REQUEST_SPECIAL.get(name)
        if is_single is None:
            kept.append(one)
            continue
        value = one[colon + 1 :].lstrip(b" \t")
        if one[-1] == _SPACE:
            value = value.rstrip(b" ")
        if name in special:
            if is_single:
                raise malformed(f"The header {name.decode()} is given twice.")
            value = special[name] + b", " + value
        special[name] = value
    head.fields = b"\r\n".join(kept)
    _apply(head, special)
    return head


def _bad_request_line(raw: bytes) -> Exception:
    line = raw.split(b"\n", 1)[0]
    if re.search(rb" HTTP/[0-9.]+\r?$", line) and not re.search(rb" HTTP/1\.[01]\r?$", line):
        return malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here.", status=505, code="HttpVersionNotSupported")
    return malformed("The request line is malformed.")


def _apply(head: RequestHead, special: dict[bytes, bytes]) -> None:
    get = special.get
    head.host = get(b"host", b"")
    if b"host" not in special and head.minor_version == 1:
        raise malformed("The Host header is missing.")
    if not _HOST.fullmatch(head.host):
        raise malformed("The Host header is malformed.")
    if (connection := get(b"connection")) is not None:
        _apply_connection(head, connection)
    if (length := get(b"content-length")) is not None:
        if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
            raise malformed("Content-Length is not a plain number.")
        if b"transfer-encoding" in special:
            raise malformed("Content-Length and Transfer-Encoding exclude each other.")
        head.content_length = int(length)
    elif (coding := get(b"transfer-encoding")) is not None:
        if head.minor_version == 0:
            raise malformed("Transfer-Encoding does not exist in HTTP/1.0.")
        if coding.lower() != b"chunked":
            raise malformed("The only Transfer-Encoding known is chunked.", status=501, code="NotImplemented")
        head.content_length = -1
    if (expect := get(b"expect")) is not None:
        if expect.lower() != b"100-continue":
            raise malformed("The only expectation known is 100-continue.", status=417, code="ExpectationFailed")
        head.expects_continue = head.minor_version == 1 and head.content_length != 0
    if (upgrade := get(b"upgrade")) is not None and head.is_upgrade and head.content_length == 0:
        head.upgrade = upgrade
    head.authorization = get(b"authorization", b"")
    head.deployment = get(b"azureml-model-deployment", b"").decode("latin-1")
    head.origin = get(b"origin", b"")
    if (client_id := get(b"x-ms-client-request-id")) is not None:
        head.client_request_id = _CLIENT_REQUEST_ID.sub(b"", client_id)[:40]


def _apply_connection(head: RequestHead, connection: bytes) -> None:
    names = {name.strip(b" \t") for name in connection.lower().split(b",")}
    if b"close" in names:
        head.is_keep_alive = False
    elif b"keep-alive" in names:
        head.is_keep_alive = True
    head.is_upgrade = b"upgrade" in names
    for name in names - _HOP_NAMES:  # the sender says that these are for this hop alone
        pattern = rb"\r\n" + re.escape(name) + rb":[^\r\n]*"
        head.fields = re.sub(pattern, b"", head.fields, flags=re.IGNORECASE)


def field(fields: bytes, name: bytes) -> bytes | None:
    """The first value of a header within passed-on fields (each line preceded by CRLF); None when absent."""
    found = re.search(rb"\r\n" + re.escape(name) + rb":[ \t]*([^\r\n]*)", fields, re.IGNORECASE)
    return found[1].rstrip(b" \t") if found else None


# Cut out of every answer of an instance: acted on, or the gateway's own to say.
_DROPPED: Final = 1
_LENGTH: Final = 2
_CONNECTION: Final = 3
_CODING: Final = 4
_UPGRADE: Final = 5
_ANSWER_NAMES: Final[dict[bytes, int]] = {
    b"content-length": _LENGTH,
    b"connection": _CONNECTION,
    b"transfer-encoding": _CODING,
    b"upgrade": _UPGRADE,
    b"x-request-id": _DROPPED,
    b"x-ms-client-request-id": _DROPPED,
    b"azureml-model-deployment": _DROPPED,
    b"ms-azureml-model-error-statuscode": _DROPPED,
    b"ms-azureml-model-error-reason": _DROPPED,
    b"keep-alive": _DROPPED,
    b"proxy-connection": _DROPPED,
    b"trailer": _DROPPED,
    b"te": _DROPPED,
}
# As they are usually written, too: that spares most of them the change to lower case.
_ANSWER_SPECIAL: Final = _ANSWER_NAMES | {name.title(): kind for name, kind in _ANSWER_NAMES.items()}
_ANSWER_FIRST: Final = _letters(_ANSWER_NAMES, 0)
_ANSWER_SECOND: Final = _letters(_ANSWER_NAMES, 1)
_STARTS: Final[dict[bytes, int]] = {
    b"HTTP/1.%d %d" % (minor, status): status if minor else -status for minor in (0, 1) for status in range(100, 1000)
}
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class BadAnswer(Exception):
    """What an instance sent is not an HTTP answer we can pass on."""


class AnswerHead:
    """An instance's answer. content_length: or CHUNKED, or UNTIL_CLOSE. fields: as in RequestHead.

    start, ending: what a usual client gets before and after its request's id, once it has been written.
    """

    __slots__ = ("content_length", "ending", "fields", "is_keep_alive", "start", "status", "upgrade")

    def __init__(self, status: int, fields: bytes, content_length: int, is_keep_alive: bool, upgrade: bytes) -> None:
        self.status = status
        self.fields = fields
        self.content_length = content_length
        self.is_keep_alive = is_keep_alive
        self.upgrade = upgrade
        self.start = b""
        self.ending = b""


def parse_answer_head(raw: bytes) -> AnswerHead:
    """Read an answer's head without its empty line. Raises BadAnswer."""
    lines: list[bytes] = raw.split(b"\r\n")
    start = lines[0]
    status = _STARTS.get(start[:12], 0)
    if not status or (len(start) > 12 and start[12] != _SPACE):
        raise BadAnswer
    is_keep_alive = status > 0
    status = abs(status)
    length = UNTIL_CLOSE
    upgrade = b""
    kept = [b""]
    for line in lines[1:]:
        if len(line) < 2 or not (_ANSWER_FIRST[line[0]] and _ANSWER_SECOND[line[1]]):
            kept.append(line)
            continue
        colon = line.find(b":")
        name = line[:colon]
        kind = _ANSWER_SPECIAL.get(name, 0) or _ANSWER_SPECIAL.get(name.lower(), 0)
        if not kind:
            kept.append(line)
        elif kind == _LENGTH:
            length = _merge_length(length, line[colon + 1 :].strip(b" \t"))
        elif kind == _CONNECTION:
            value = line[colon:].lower()
            is_keep_alive = b"close" not in value and (is_keep_alive or b"keep-alive" in value)
        elif kind == _CODING:
            if line[colon + 1 :].strip(b" \t").lower() != b"chunked":
                raise BadAnswer
            length = CHUNKED
        elif kind == _UPGRADE:
            upgrade = line[colon + 1 :].strip(b" \t")
    ends = len(lines) - 1
    if raw.count(b"\n") != ends or raw.count(b"\r") != ends:  # one that is no end of a line could be read as one
        raise BadAnswer
    return AnswerHead(status, b"\r\n".join(kept), length, is_keep_alive, upgrade)


def _merge_length(known: int, value: bytes) -> int:
    """Content-Length given once more: the same again is harmless, chunked wins over it."""
    if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS or (known >= 0 and known != int(value)):
        raise BadAnswer
    return known if known == CHUNKED else int(value)
