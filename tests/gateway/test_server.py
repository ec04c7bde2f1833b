"""The gateway as a process, with real sockets."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from endpoints.spec.counters import STREAM, CounterBatch
from tests.conftest import need, redis_binary
from tests.gateway.live import InstanceProcess, LiveGateway, endpoint, free_port, live_gateway, serving, until

KEY = {"authorization": "Bearer the-key"}


@pytest.fixture(scope="module")
def instance() -> Iterator[InstanceProcess]:
    one = InstanceProcess("blue-1")
    yield one
    one.kill()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, instance: InstanceProcess) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("gateway")) as one:
        one.publish(endpoint(serving(instance)))
        until(lambda: post(one).status_code == 200, "the route is served")
        yield one


def post(gateway: LiveGateway, path: str = "/sample/score", **more: object) -> httpx.Response:
    return httpx.post(f"{gateway.url}{path}", headers=KEY, timeout=10, **more)  # type: ignore[arg-type]


def test_a_request_goes_through(gateway: LiveGateway) -> None:
    answer = post(gateway, content=b"12345")
    assert (answer.status_code, answer.json()) == (200, {"instance": "blue-1", "bytes": 5})
    assert answer.headers["azureml-model-deployment"] == "blue"


def test_events_arrive_one_by_one(gateway: LiveGateway) -> None:
    with httpx.stream("POST", f"{gateway.url}/sample/sse", headers=KEY, timeout=10) as answer:
        seen = [time.monotonic() for _ in answer.iter_raw()]
    assert len(seen) == 3
    assert all(0.1 < later - earlier < 0.4 for earlier, later in pairwise(seen))


def test_a_large_upload_takes_little_memory(gateway: LiveGateway) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(90):
            yield bytes(1024 * 1024)

    before = _resident(gateway)
    answer = post(gateway, content=pieces())
    assert answer.json()["bytes"] == 90 * 1024 * 1024
    assert _resident(gateway) - before < 30 * 1024 * 1024


def _resident(gateway: LiveGateway) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in gateway.workers())


def test_a_route_change_is_served_within_a_tenth_of_a_second(gateway: LiveGateway, instance: InstanceProcess) -> None:
    with httpx.Client(headers=KEY) as client:
        for number in range(5):
            gateway.publish(endpoint(serving(instance)), endpoint(serving(instance), name=f"new{number}"))
            deadline = time.monotonic() + 5
            while client.post(f"{gateway.url}/new{number}/score").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.002)


def test_metrics_add_up_over_the_processes(gateway: LiveGateway, instance: InstanceProcess) -> None:
    gateway.publish(endpoint(serving(instance)), endpoint(serving(instance), name="counted"))
    until(lambda: post(gateway, "/counted/swagger.json").status_code == 200, "the route is served")
    for _ in range(40):  # each on a connection of its own: both processes get some
        assert post(gateway, "/counted/score").status_code == 200
    wanted = 'slipway_model_duration_seconds_count{endpoint="counted",deployment="blue"} 41'
    until(lambda: wanted in gateway.metrics(), "all requests counted")


def test_the_access_log_is_written(gateway: LiveGateway) -> None:
    request_id = post(gateway).headers["x-request-id"]
    file = gateway.home.gateway / "access.jsonl"
    until(lambda: file.exists() and request_id in file.read_text(), "the line is there")


@pytest.mark.slow
def test_a_killed_worker_is_replaced(gateway: LiveGateway) -> None:
    [victim, *_] = before = gateway.workers()
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(gateway.workers()) == 2 and set(gateway.workers()) != set(before), "a new worker")
    until(lambda: post(gateway).status_code == 200, "it serves")


@pytest.mark.slow
def test_a_taken_port_is_one_line_that_names_it(gateway: LiveGateway, tmp_path: Path) -> None:
    other = LiveGateway(tmp_path)
    environ = {**other._environ, "SLIPWAY_GATEWAY_PORT": str(gateway.port)}
    command = [sys.executable, "-m", "endpoints.gateway"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)
    other.close()
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"gateway: Port {gateway.port} on 127.0.0.1 is taken by another process."


@pytest.mark.slow
def test_a_second_gateway_for_one_home_is_refused(gateway: LiveGateway) -> None:
    command = [sys.executable, "-m", "endpoints.gateway"]
    ended = subprocess.run(command, env=gateway._environ, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "is running" in ended.stderr


@pytest.mark.slow
def test_a_gateway_starts_from_the_routes_on_disk_and_stops_cleanly(tmp_path: Path, instance: InstanceProcess) -> None:
    gateway = LiveGateway(tmp_path)
    gateway.publish(endpoint(serving(instance)))
    gateway.start()
    try:
        assert post(gateway).status_code == 200
        workers = gateway.workers()
        assert gateway.stop() == 0
        assert not any(psutil.pid_exists(pid) for pid in workers)
        assert list((tmp_path / "gateway" / "unsent").iterdir())  # nobody took the counters: they are kept
    finally:
        gateway.close()


@pytest.mark.slow
def test_what_is_in_flight_is_finished_when_the_gateway_stops(tmp_path: Path, instance: InstanceProcess) -> None:
    answers: list[int] = []
    with live_gateway(tmp_path) as gateway:
        gateway.publish(endpoint(serving(instance)))
        until(lambda: post(gateway).status_code == 200, "the route is served")
        asking = threading.Thread(target=lambda: answers.append(post(gateway, "/sample/slow").status_code))
        asking.start()
        time.sleep(0.2)
        assert gateway.stop() == 0
        asking.join()
    assert answers == [200]


@pytest.mark.slow
def test_without_its_master_a_gateway_serves_on_until_a_new_one_takes_over(
    tmp_path: Path, instance: InstanceProcess
) -> None:
    with live_gateway(tmp_path) as gateway:
        gateway.publish(endpoint(serving(instance)))
        until(lambda: post(gateway).status_code == 200, "the route is served")
        orphans = gateway.workers()
        gateway.signal(signal.SIGKILL)
        assert gateway.process is not None
        gateway.process.wait()
        assert post(gateway).status_code == 200
        gateway.start()
        until(lambda: not any(psutil.pid_exists(pid) for pid in orphans), "the orphans have drained")
        assert post(gateway).status_code == 200


def _certificate(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))


def _shown_name(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as secure:
        shown = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.slow
def test_a_certificate_is_replaced_without_a_drop(tmp_path: Path, instance: InstanceProcess) -> None:
    _certificate(tmp_path, "old")
    files = {
        "SLIPWAY_GATEWAY_TLS_CERT": str(tmp_path / "cert.pem"),
        "SLIPWAY_GATEWAY_TLS_KEY": str(tmp_path / "key.pem"),
    }
    tls_port = free_port()
    with live_gateway(tmp_path / "home", **files, SLIPWAY_GATEWAY_TLS_PORT=str(tls_port)) as gateway:
        gateway.publish(endpoint(serving(instance)))
        until(lambda: post(gateway).status_code == 200, "the route is served")
        with httpx.Client(verify=False, headers=KEY) as client:
            url = f"https://127.0.0.1:{tls_port}/sample/score"
            assert client.post(url).status_code == 200
            assert _shown_name(tls_port) == "old"
            _certificate(tmp_path, "new")
            until(lambda: _shown_name(tls_port) == "new", "the new certificate is shown")
            assert client.post(url).status_code == 200


@pytest.mark.slow
@pytest.mark.redis
def test_counters_reach_the_stream_once_redis_is_there(tmp_path: Path, instance: InstanceProcess) -> None:
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server binary")
    address = tmp_path / "redis.sock"
    with live_gateway(tmp_path / "home", SLIPWAY_REDIS_URL=f"unix://{address}") as gateway:
        gateway.publish(endpoint(serving(instance)))
        until(lambda: post(gateway).status_code == 200, "the route is served without Redis")
        for _ in range(20):
            post(gateway)
        until(lambda: "_requests_total" in gateway.metrics(), "counted")
        server = subprocess.Popen(
            [str(binary), "--port", "0", "--unixsocket", str(address), "--save", ""], stdout=subprocess.DEVNULL
        )
        try:
            until(lambda: _stream_total(address) >= 21, "all counted requests are in the stream")
            newer = msgspec.json.decode(gateway.home.routes_file.read_bytes())
            newer["version"] = 99
            _publish_by_redis(address, msgspec.json.encode(newer))
            until(lambda: b'"version":99' in gateway.home.routes_file.read_bytes(), "the table is kept on disk")
        finally:
            server.terminate()
            server.wait()
        assert post(gateway).status_code == 200


def _stream_total(address: Path) -> int:
    try:
        with redis.Redis(unix_socket_path=str(address)) as client:
            entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(STREAM)
    except redis.RedisError:
        return 0
    batches = {fields[b"id"]: msgspec.json.decode(fields[b"batch"], type=CounterBatch) for _, fields in entries}
    return sum(series.requests for batch in batches.values() for series in batch.series if series.status == 200)


def _publish_by_redis(address: Path, content: bytes) -> None:
    with redis.Redis(unix_socket_path=str(address)) as client:
        client.set("slipway:routes", content)
        client.publish("slipway:routes", "99")
