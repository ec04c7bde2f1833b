from __future__ import annotations

import pytest

from endpoints.gateway.errors import Refusal
from tests.gateway.rig import OK, Rig, ask, deployment, endpoint, error_of, header_of, request, status_of


@pytest.fixture
def served(rig: Rig) -> Rig:
    rig.publish(endpoint())
    return rig


def test_health_needs_no_key(rig: Rig) -> None:
    answer = ask(rig, b"GET /-/healthz HTTP/1.1\r\nhost: g\r\n\r\n")
    assert status_of(answer) == 200
    assert answer.endswith(b'{"status": "ok", "routes_version": 0}')


@pytest.mark.parametrize("target", ["/nobody/score", "/", "/-/other", "//score", "/sample%2f/score"])
def test_an_unknown_endpoint_is_404(served: Rig, target: str) -> None:
    answer = ask(served, request(target=target))
    assert (status_of(answer), error_of(answer)) == (404, "EndpointNotFound")
    assert header_of(answer, "content-type") == "application/json"


@pytest.mark.parametrize("credential", [b"", b"Bearer other", b"Basic the-key", b"the-key", b"Bearer "])
def test_a_wrong_key_is_401(served: Rig, credential: bytes) -> None:
    raw = request().replace(b"authorization: Bearer the-key\r\n", b"authorization: " + credential + b"\r\n")
    answer = ask(served, raw)
    assert (status_of(answer), error_of(answer)) == (401, "Unauthorized")
    assert header_of(answer, "www-authenticate")


def test_a_fault_of_our_own_is_500_with_the_id_of_the_log(served: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> float:
        raise LookupError("secret detail")

    served.plane.random = fail
    answer = ask(served, request())
    assert (status_of(answer), error_of(answer)) == (500, "InternalServerError")
    assert b"secret detail" not in answer
    assert (header_of(answer, "x-request-id") or "?") in caplog.text


def test_a_rotated_key_stops_working_on_open_connections(served: Rig) -> None:
    client = served.client()
    client.send(request())
    served.asked().answer()
    client.got()
    served.publish(endpoint(key_digests=("0" * 64,)))
    client.send(request())
    assert status_of(client.got()) == 401


@pytest.mark.parametrize("host", ["sample.localhost:8080", "SAMPLE.models.example.", "sample.models.example:443"])
def test_an_endpoint_is_named_by_host_too(rig: Rig, host: str) -> None:
    rig.publish(endpoint(), domain="models.example")
    client = rig.client()
    client.send(request(target="/score?x=1").replace(b"host: gateway", b"host: " + host.encode()))
    assert rig.asked().asked().startswith(b"POST /score?x=1 HTTP/1.1")


def test_the_scoring_path_is_the_deployments_and_others_pass_as_they_are(rig: Rig) -> None:
    rig.publish(endpoint(deployment(scoring_path="/v2/infer")))
    client = rig.client()
    for target, wanted in {"/sample/score?a=b": b"/v2/infer?a=b", "/sample/swagger.json": b"/swagger.json"}.items():
        client.send(request(target=target))
        instance = rig.asked()
        assert instance.asked().startswith(b"POST " + wanted + b" HTTP/1.1")
        instance.answer()


def test_a_header_names_the_deployment_whatever_its_weight(rig: Rig) -> None:
    rig.publish(endpoint(deployment(), deployment("green", ports=(7002,))))
    client = rig.client()
    client.send(request(headers=b"azureml-model-deployment: green\r\n"))
    instance = rig.asked()
    assert instance.port == 7002
    instance.answer()
    assert header_of(client.got(), "azureml-model-deployment") == "green"
    client.send(request(headers=b"azureml-model-deployment: red\r\n"))
    answer = client.got()
    assert (status_of(answer), error_of(answer)) == (404, "DeploymentNotFound")


def test_without_traffic_the_endpoint_is_404(rig: Rig) -> None:
    rig.publish(endpoint(traffic={"blue": 0}))
    answer = ask(rig, request())
    assert (status_of(answer), error_of(answer)) == (404, "NoTraffic")


def test_a_deployment_without_ready_instances_is_503(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=())))
    answer = ask(rig, request())
    assert (status_of(answer), error_of(answer)) == (503, "NoReadyInstances")
    assert header_of(answer, "retry-after") == "2"
    assert header_of(answer, "azureml-model-deployment") == "blue"


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_a_models_error_is_424_with_its_code_and_body(served: Rig, status: int) -> None:
    client = served.client()
    client.send(request())
    served.asked().answer(b"HTTP/1.1 %d Whatever\r\ncontent-length: 4\r\n\r\noops" % status)
    answer = client.got()
    assert answer.startswith(b"HTTP/1.1 424 Failed Dependency\r\n")
    assert header_of(answer, "ms-azureml-model-error-statuscode") == str(status)
    assert header_of(answer, "ms-azureml-model-error-reason") == "model_error"
    assert answer.endswith(b"\r\n\r\noops")
    [series] = served.counted()
    assert (series.status, series.model_status) == (424, status)


def test_204_passes_without_a_length(served: Rig) -> None:
    client = served.client()
    client.send(request())
    served.asked().answer(b"HTTP/1.1 204 No Content\r\n\r\n")
    answer = client.got()
    assert status_of(answer) == 204
    assert header_of(answer, "content-length") is None


def test_the_clients_request_id_comes_back(served: Rig) -> None:
    client = served.client()
    client.send(request(headers=b"x-ms-client-request-id: my/id_1\r\n"))
    instance = served.asked()
    assert header_of(instance.asked(), "x-ms-client-request-id") == "myid_1"
    instance.answer()
    assert header_of(client.got(), "x-ms-client-request-id") == "myid_1"
    assert (
        header_of(
            ask(served, request(target="/x/score", headers=b"x-ms-client-request-id: a\r\n")), "x-ms-client-request-id"
        )
        == "a"
    )


def test_a_slow_model_is_408_and_its_connection_is_given_up(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.asked()
    served.advance(4.9)
    assert client.got() == b""
    served.advance(0.2)
    answer = client.got()
    assert (status_of(answer), error_of(answer)) == (408, "RequestTimeout")
    assert instance.transport.is_aborted
    client.send(request())  # the client's own connection goes on
    assert served.asked() is not instance


def test_a_stream_may_last_longer_than_the_time_out_but_not_stand_still(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(5):
        instance.answer(b"1\r\nx\r\n")
        served.advance(40)
    assert not client.transport.is_closed
    served.advance(61)
    served.advance(61)
    assert client.transport.is_aborted


def test_a_payload_beyond_the_limit_is_413_before_and_during_its_arrival(rig: Rig) -> None:
    rig.publish(endpoint(max_payload_bytes=10))
    assert error_of(ask(rig, request(b"x" * 11))) == "PayloadTooLarge"
    client = rig.client()
    chunked = request().replace(b"content-length: 2\r\n\r\n{}", b"transfer-encoding: chunked\r\n\r\n")
    client.send(chunked, b"8\r\n12345678\r\n", b"8\r\n12345678\r\n")
    assert status_of(client.got()) == 413
    assert rig.dialled[-1].transport.is_aborted


def test_a_refused_connection_is_tried_on_another_instance(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002, 7003))))
    rig.refused = {7001, 7002}
    for _ in range(6):
        client = rig.client()
        client.send(request())
        rig.asked().answer()
        rig.dialled[-1].asked()
        assert status_of(client.got()) == 200


def test_a_connection_that_breaks_before_the_answer_is_tried_again(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002))))
    client = rig.client()
    client.send(request(b"body"))
    first = rig.asked()
    first.asked()
    first.die()
    rig.settle()
    second = rig.asked()
    assert second.port != first.port
    assert second.asked().endswith(b"body")
    second.answer()
    assert status_of(client.got()) == 200


def test_a_second_break_is_final(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002))))
    client = rig.client()
    client.send(request())
    for _ in range(2):
        instance = rig.asked()
        instance.asked()
        instance.die()
        rig.settle()
    answer = client.got()
    assert (status_of(answer), error_of(answer)) == (500, "InstanceFailed")


def test_a_deployment_can_turn_retry_off(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002), is_retry_allowed=False)))
    client = rig.client()
    client.send(request())
    rig.asked().die()
    assert error_of(client.got()) == "InstanceFailed"


def test_a_warm_connection_that_was_closed_meanwhile_is_replaced(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.asked()
    instance.answer()
    client.got()
    client.send(request())
    instance.asked()
    instance.die()  # the request crossed the instance's closing
    served.settle()
    served.asked().answer()
    assert status_of(client.got()) == 200


def test_an_answer_that_is_not_http_is_500(served: Rig) -> None:
    client = served.client()
    client.send(request())
    served.asked().answer(b"hello\r\n\r\n")
    assert error_of(client.got()) == "BadAnswer"


def test_a_deployment_that_is_stopped_says_why(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(), stopped="stopped: its loan of 8 cores ended at 18:00.")))
    client = rig.client()
    client.send(request())
    answer = client.got()
    assert status_of(answer) == 503
    assert b"DeploymentStopped" in answer
    assert b"Deployment 'blue' is stopped: its loan of 8 cores ended at 18:00." in answer


def test_no_instance_that_listens_is_503(served: Rig) -> None:
    served.refused = {7001}
    assert error_of(ask(served, request())) == "InstanceUnreachable"


def test_an_instance_that_was_set_aside_comes_back_after_a_probe(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002), max_concurrent_requests_per_instance=100)))
    rig.refused = {7001}
    for _ in range(4):
        rig.client().send(request())
    [failed, _] = rig.plane.book.live[0].deployments["blue"].instances
    assert failed.is_set_aside
    rig.refused = set()
    rig.loop.run_until_complete(failed._try())
    assert not failed.is_set_aside
    assert len(failed.idle) == 1


def test_cors_is_off_unless_origins_are_given(served: Rig) -> None:
    preflight = (
        b"OPTIONS /sample/score HTTP/1.1\r\nhost: g\r\norigin: https://a.example\r\n"
        b"access-control-request-method: POST\r\n\r\n"
    )
    assert status_of(ask(served, preflight)) == 401
    served.publish(endpoint(cors_origins=("https://a.example",)))
    answer = ask(served, preflight)
    assert status_of(answer) == 204
    assert header_of(answer, "access-control-allow-origin") == "https://a.example"
    assert header_of(ask(served, preflight.replace(b"a.example", b"b.example")), "access-control-allow-origin") is None


def test_an_allowed_page_reads_answers_and_errors(rig: Rig) -> None:
    rig.publish(endpoint(cors_origins=("https://a.example",)))
    client = rig.client()
    client.send(request(headers=b"origin: https://a.example\r\n"))
    rig.asked().answer(OK.replace(b"content-type", b"access-control-allow-origin: *\r\ncontent-type"))
    answer = client.got()
    assert answer.count(b"access-control-allow-origin") == 1
    assert header_of(answer, "access-control-allow-origin") == "https://a.example"
    refused = ask(rig, request(headers=b"origin: https://a.example\r\n").replace(b"the-key", b"wrong"))
    assert status_of(refused) == 401
    assert header_of(refused, "access-control-allow-origin") == "https://a.example"


def test_a_draining_gateway_answers_and_says_close(served: Rig) -> None:
    client = served.client()
    served.plane.is_draining = True
    client.send(request())
    served.asked().answer()
    answer = client.got()
    assert (status_of(answer), header_of(answer, "connection")) == (200, "close")
    assert client.transport.is_closed


def test_an_error_body_says_code_message_and_details() -> None:
    assert (
        Refusal(408, "A", "b", details=["c"]).body()
        == b'{"error":{"code":"A","message":"b","details":[{"message":"c"}]}}'
    )
