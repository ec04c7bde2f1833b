"""Status codes, bodies and headers of the contract, asked of real servers on loopback."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scoring.conftest import Running, Start, end, launch

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
SERVER_FAILED = "An unexpected internal error occurred. Check the logs for more info."

STRING_SCRIPT = """
    import json, math, decimal, datetime, uuid
    from azureml_inference_server_http.api.aml_response import AMLResponse

    def init():
        pass

    RESULTS = {
        "none": lambda: None,
        "text": lambda: '{"a": 1}',
        "nan": lambda: [math.nan, math.inf],
        "pair": lambda: ("body", 404),
        "float": lambda: type("F", (float,), {})(1.5),
        "set": lambda: {1},
        "bytes": lambda: b"x",
        "date": lambda: datetime.date(2024, 1, 1),
        "decimal": lambda: decimal.Decimal(1),
        "uuid": lambda: uuid.uuid4(),
        "tuple keys": lambda: {(1, 2): 3},
        "unicode": lambda: "é",
        "raise": lambda: 1 / 0,
        "recurse": lambda: (lambda f: f(f))(lambda f: f(f)),
        "timeout": lambda: (_ for _ in ()).throw(TimeoutError()),
        "exit": lambda: exit(1),
        "html": lambda: AMLResponse("<p>", 200),
        "created": lambda: AMLResponse({"id": 1}, 201, {"Location": "/1", "A": "1,2"}, json_str=True),
        "teapot": lambda: AMLResponse("short", 418, {"Content-Type": "text/plain"}),
        "broken": lambda: AMLResponse("sorry", 503),
        "nothing": lambda: AMLResponse(None, 204),
        "injected": lambda: AMLResponse("x", 200, {"A": "b\\r\\nC: d"}),
        "own id": lambda: AMLResponse("x", 200, {"x-request-id": "mine", "B": "1", "C": "2"}),
    }

    def run(raw_data):
        try:
            wanted = json.loads(raw_data).get("result")
        except (ValueError, AttributeError):
            return {"got": raw_data}
        if wanted not in RESULTS:
            return {"got": raw_data}
        return RESULTS[wanted]()
"""


@pytest.fixture(scope="module")
def server(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = launch(tmp_path_factory.mktemp("contract"), package, STRING_SCRIPT)
    running.wait_for_phase("running")
    yield running
    end(running)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health(server: Running, method: str) -> None:
    reply = server.request(method, "/")
    assert (reply.status, reply.body) == (200, b"Healthy" if method == "GET" else b"")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "x-ms-run-function-failed" not in reply.headers


def test_a_scored_request_has_all_its_headers(server: Running) -> None:
    reply = server.score({"a": 1})
    assert (reply.status, reply.reason, reply.json) == (200, "OK", {"got": '{"a": 1}'})
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-ms-server-version"] == "azmlinfsrv/1.5.1"
    assert reply.headers["x-ms-run-function-failed"] == "False"
    assert re.fullmatch(r"\d+\.\d{3}", reply.headers["x-ms-run-fn-exec-ms"])
    assert UUID.fullmatch(reply.headers["x-request-id"])
    assert reply.headers["x-ms-request-id"] == reply.headers["x-request-id"]


RETURNED = {
    "none": (200, b"{}"),
    "text": (200, rb'"{\"a\": 1}"'),
    "nan": (200, b"[NaN, Infinity]"),
    "pair": (200, b'["body", 404]'),
    "float": (200, b"1.5"),
    "unicode": (200, rb'"\u00e9"'),
    "html": (200, b"<p>"),
    "created": (201, b'{"id": 1}'),
    "teapot": (418, b"short"),
    "broken": (503, b"sorry"),
    "nothing": (204, b""),
}


@pytest.mark.parametrize("result", RETURNED)
def test_what_run_returns_becomes(server: Running, result: str) -> None:
    reply = server.score({"result": result})
    assert (reply.status, reply.body) == RETURNED[result]


@pytest.mark.parametrize("result", ["set", "bytes", "date", "decimal", "uuid", "tuple keys", "injected"])
def test_what_cannot_be_sent_is_an_internal_error(server: Running, result: str) -> None:
    reply = server.score({"result": result})
    assert (reply.status, reply.message) == (500, SERVER_FAILED)
    assert reply.headers["x-ms-run-function-failed"] == "False"
    assert "x-ms-run-fn-exec-ms" not in reply.headers


@pytest.mark.parametrize("result", ["raise", "recurse"])
def test_an_exception_in_run_is_the_scripts_error(server: Running, result: str) -> None:
    reply = server.score({"result": result})
    assert (reply.status, reply.message) == (500, SCRIPT_FAILED)
    assert reply.headers["x-ms-run-function-failed"] == "True"


def test_a_timeout_error_of_the_script_is_told_as_a_timeout(server: Running) -> None:
    reply = server.score({"result": "timeout"})
    assert (reply.status, reply.message) == (500, "Scoring timeout after 3600000 ms")


def test_exit_in_run_ends_one_request_and_not_the_server(server: Running) -> None:
    reply = server.score({"result": "exit"})
    assert (reply.status, reply.headers["content-type"]) == (500, "text/html")
    assert b"<h1><p>Internal Server Error</p></h1>" in reply.body
    assert "x-request-id" not in reply.headers
    assert server.score().status == 200


def test_response_headers_of_the_script(server: Running) -> None:
    created = server.score({"result": "created"}).headers
    assert (created["location"], created.get_all("a")) == ("/1", ["1", "2"])
    assert server.score({"result": "teapot"}).headers.get_all("content-type") == ["text/plain"]
    assert server.score({"result": "broken"}).headers["x-ms-run-function-failed"] == "True"
    assert server.score({"result": "own id"}, x_request_id="A").headers.get_all("x-request-id") == ["A"]


IDS = [
    ({"x_request_id": "A"}, ("A", "A", None)),
    ({"x_request_id": "A", "x_ms_request_id": "B"}, ("A", "B", "B")),
    ({"x_request_id": "A", "x_ms_client_request_id": "C"}, ("A", "C", "C")),
    ({"x_request_id": "A", "x_ms_request_id": "B", "x_ms_client_request_id": "C"}, ("A", "B", "C")),
    ({"x_request_id": ""}, (None, None, None)),
]


@pytest.mark.parametrize(("sent", "back"), IDS)
def test_request_ids_come_back(server: Running, sent: dict[str, str], back: tuple[str | None, ...]) -> None:
    headers = server.score(**sent).headers
    assert tuple(headers[name] for name in ("x-request-id", "x-ms-request-id", "x-ms-client-request-id")) == back


@pytest.mark.parametrize("path", ["/", "/score"])
def test_long_ids_are_refused(server: Running, path: str) -> None:
    reply = server.request("GET", path, x_request_id="a" * 101)
    assert (reply.status, reply.message) == (431, "x-request-id must not exceed 100 characters")
    assert "x-request-id" not in reply.headers
    other = server.request("GET", path, x_request_id="A", x_ms_client_request_id="a" * 101)
    assert other.message == "x-ms-request-id and x-ms-client-request-id must not exceed 100 characters"
    assert (other.headers["x-request-id"], other.headers["x-ms-request-id"]) == ("A", None)


def test_trace_id_is_echoed(server: Running) -> None:
    assert server.score(TraceId="abc").headers["TraceId"] == "abc"


REFUSED = [
    ("GET", "/nowhere", 404, "The requested URL was not found on the server."),
    ("POST", "/score/", 404, "The requested URL was not found on the server."),
    ("POST", "/", 405, "The method is not allowed for the requested URL."),
    ("DELETE", "/score", 405, "The method is not allowed for the requested URL."),
    ("PUT", "/swagger.json", 405, "The method is not allowed for the requested URL."),
]


@pytest.mark.parametrize(("method", "path", "status", "message"), REFUSED)
def test_unknown_routes_and_methods(server: Running, method: str, path: str, status: int, message: str) -> None:
    reply = server.request(method, path)
    assert reply.status == status
    assert reply.message.startswith(message)
    assert reply.headers["x-ms-run-function-failed"] == "False"
    assert "x-ms-server-version" not in reply.headers


def test_head_and_options_of_score(server: Running) -> None:
    head = server.request("HEAD", "/score")
    assert (head.status, head.reason, head.body) == (405, "METHOD NOT ALLOWED", b"")
    assert "x-request-id" in head.headers
    options = server.request("OPTIONS", "/score")
    assert (options.status, options.body, options.headers["x-ms-run-function-failed"]) == (200, b"", "False")


def test_a_body_that_is_not_utf8_is_refused(server: Running) -> None:
    reply = server.request(body=b"\xff")
    assert reply.status == 400
    assert reply.message == (
        "Input cannot be decoded as UTF-8: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    )


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_gives_an_undecorated_run_an_empty_string(server: Running, kind: str) -> None:
    assert server.request(body="a=1", content_type=kind).json == {"got": ""}


def test_get_gives_the_query_as_json(server: Running) -> None:
    got = server.request("GET", "/score?a=1&b=[1,2]&c=x&d=null&e=1&e=y").json["got"]
    assert json.loads(got) == {"a": 1, "b": [1, 2], "c": "x", "d": None, "e": [1, "y"]}
    assert server.request("GET", "//score").json == {"got": "{}"}


@pytest.mark.parametrize("version", ["", "?version=2", "?version=2.0"])
def test_swagger_2_of_an_undecorated_script(server: Running, version: str) -> None:
    document = server.request("GET", "/swagger.json" + version).json
    assert (document["swagger"], document["info"]["title"]) == ("2.0", "ML service")
    assert document["definitions"]["ServiceInput"] == {"type": "object", "example": {}}


@pytest.mark.parametrize(("asked", "told"), [("3", "3.0.3"), ("3.0", "3.0.3"), ("3.1", "3.1.0")])
def test_swagger_3(server: Running, asked: str, told: str) -> None:
    assert server.request("GET", f"/swagger.json?version={asked}").json["openapi"] == told


@pytest.mark.parametrize("asked", ["4", ""])
def test_swagger_of_an_unknown_version(server: Running, asked: str) -> None:
    reply = server.request("GET", f"/swagger.json?version={asked}")
    message = f"Swagger version [{asked}] is not valid. Supported versions: [2, 3, 3.1]."
    assert (reply.status, reply.message) == (404, message)


def test_one_connection_serves_many_requests(server: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    sockets = set()
    for number in range(3):
        connection.request("POST", "/score", json.dumps(number), {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read()) == {"got": str(number)}
        sockets.add(id(connection.sock))
    assert len(sockets) == 1
    connection.close()


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    one = b"POST /score HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n%d"
    answer = server.raw(b"".join(one % number for number in range(5)))
    assert re.findall(rb'"got": "(\d)"', answer) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_chunked_body_is_joined(server: Running) -> None:
    answer = server.raw(b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n4\r\n1\r\n2\r\n0\r\n\r\n")
    assert b'{"got": "42"}' in answer


def test_a_client_that_asks_is_told_to_continue(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"POST /score HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"42")
        assert b'{"got": "42"}' in client.recv(65536)


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"garbage\r\n\r\n", b"HTTP/1.1 400 BAD REQUEST"),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 414 REQUEST URI TOO LONG"),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
    ],
)
def test_what_is_no_request_gets_an_answer_and_the_end(server: Running, data: bytes, start: bytes) -> None:
    answer = server.raw(data)
    assert answer.startswith(start)
    assert b"Connection: close" in answer


def test_a_large_body_goes_there_and_back(server: Running) -> None:
    text = "x" * 20_000_000
    assert server.score(text).json == {"got": f'"{text}"'}


def test_rawhttp_gets_the_request_itself(start: Start) -> None:
    running = start(
        """
        from azureml.contrib.services.aml_request import AMLRequest, rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        def init():
            pass

        @rawhttp
        def run(request):
            assert isinstance(request, AMLRequest)
            seen = [request.method, request.args.get("q"), request.headers["X-thing"], len(request.get_data())]
            if request.method == "POST":
                seen.append(request.files["image"].read().decode() if request.files else request.json)
            return AMLResponse(seen, 200, json_str=True)
        """
    )
    assert running.request("OPTIONS", "/score?q=1", x_thing="t").json == ["OPTIONS", "1", "t", 0]
    assert running.request("HEAD", "/score", x_thing="t").body == b""
    body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nPNG\r\n--b--\r\n'
    reply = running.request(body=body, content_type="multipart/form-data; boundary=b", x_thing="t")
    assert reply.json == ["POST", None, "t", len(body), "PNG"]
    assert running.score([1], x_thing="t").json[-1] == [1]
    assert running.request(body=b"{}", x_thing="t").status == 500  # request.json without its content type


def test_run_may_ask_for_the_request_headers(start: Start) -> None:
    running = start("def init(): pass\ndef run(request_headers, text, other=5): return [request_headers, text, other]")
    headers, text, other = running.score(1, x_one="1").json
    assert (headers["X-One"], headers["Content-Type"], text, other) == ("1", "application/json", "1", 5)


def test_cross_origin_headers_when_origins_are_allowed(start: Start) -> None:
    script = "def init(): pass\ndef run(raw): return 1"
    running = start(script, "--access_control_allow_origins", r"http://a.example, .*\.b\.example")
    allowed = running.request(
        "OPTIONS",
        "/score",
        Origin="http://a.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="b, a",
    ).headers
    assert allowed["Access-Control-Allow-Origin"] == "http://a.example"
    assert allowed["Access-Control-Allow-Methods"] == "GET, POST"
    assert allowed["Access-Control-Allow-Headers"] == "a, b"
    assert running.score(Origin="http://x.b.example").headers["Access-Control-Allow-Origin"] == "http://x.b.example"
    assert "Access-Control-Allow-Origin" not in running.score(Origin="http://c.example").headers


def test_own_swagger_files_win(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app0").mkdir()
    (tmp_path / "app0" / "swagger.json").write_text('{"mine": 2}')
    (tmp_path / "app0" / "swagger3.json").write_text('{"mine": 3}')
    running = start("def init(): pass\ndef run(raw): return 1")
    assert running.request("GET", "/swagger.json").json == {"mine": 2}
    assert running.request("GET", "/swagger.json?version=3").json == {"mine": 3}


def test_settings_in_config_json_are_in_force(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app0").mkdir()
    config = {"AML_CORS_ORIGINS": "*", "SERVICE_NAME": "mine", "WRONG": 1}
    (tmp_path / "app0" / "config.json").write_text(json.dumps(config))
    running = start("def init(): pass\ndef run(raw): return 1", SERVICE_NAME="stronger")
    assert running.score(Origin="http://a").headers["Access-Control-Allow-Origin"] == "http://a"
    assert running.request("GET", "/swagger.json").json["info"]["title"] == "stronger"
    assert running.wait_for_message("unknown key: WRONG")["level"] == "WARNING"


def test_a_second_port_serves_the_same(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running = start(
        "def init(): pass\ndef run(raw): return 1", "--health_port", str(port), SEPERATE_HEALTH_ENDPOINT="true"
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"Healthy"
    connection.close()
    assert running.score().status == 200
