"""The request and response objects of scripts that ask for raw HTTP, and the module names they come from."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from endpoints.scoring.api.aml_request import AMLRequest, RequestError
from endpoints.scoring.api.aml_response import AMLResponse
from endpoints.scoring.cors import Cors
from endpoints.scoring.http.response import UnsafeHeader, check_header
from endpoints.scoring.ids import identify


def make(target: str = "/score", body: bytes = b"", **headers: str) -> AMLRequest:
    return AMLRequest("POST", target, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_address_of_a_request() -> None:
    request = make("/score?a=1&a=2&b=%C3%A9", host="example:80")
    assert (request.path, request.url) == ("/score", "http://example:80/score?a=1&a=2&b=%C3%A9")
    assert (request.base_url, request.query_string) == ("http://example:80/score", b"a=1&a=2&b=%C3%A9")
    assert (request.args["a"], request.args.getlist("a"), request.args.get("b")) == ("1", ["1", "2"], "é")
    assert request.args.get("a", type=int) == 1
    assert request.args.get("b", 5, type=int) == 5


def test_headers_are_title_case_and_found_in_any_case() -> None:
    request = make(x_custom_id="1", content_type="text/plain; charset=utf-8")
    assert dict(request.headers) == {"X-Custom-Id": "1", "Content-Type": "text/plain; charset=utf-8"}
    assert request.headers["x-CUSTOM-id"] == request.headers.get("X-Custom-ID") == "1"
    assert "nothing" not in request.headers
    assert (request.mimetype, request.mimetype_params) == ("text/plain", {"charset": "utf-8"})


def test_json_bodies() -> None:
    assert make(body=b'{"a": 1}', content_type="application/vnd.x+json").json == {"a": 1}
    assert make(body=b"[1]").get_json(force=True) == [1]
    assert make(body=b"[1]").get_json(silent=True) is None
    with pytest.raises(RequestError, match="Content-Type was not"):
        _ = make(body=b"[1]").json
    with pytest.raises(RequestError, match="Failed to decode"):
        _ = make(body=b"[", content_type="application/json").json


def test_forms() -> None:
    request = make(body=b"a=1&b=&a=2", content_type="application/x-www-form-urlencoded")
    assert (request.form.to_dict(), request.form.getlist("a"), request.data) == ({"a": "1", "b": ""}, ["1", "2"], b"")
    assert request.get_data() == b"a=1&b=&a=2"


def test_files_of_a_multipart_body_keep_their_bytes(tmp_path: Path) -> None:
    content = b"\x00\r\n--almost\r\n\xff"
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\nh\xc3\xa9\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a b.bin"\r\nContent-Type: image/png\r\n\r\n'
        + content
        + b"\r\n--XX--\r\n"
    )
    request = make(body=body, content_type='multipart/form-data; boundary="XX"')
    file = request.files["f"]
    assert (file.filename, file.content_type, file.read()) == ("a b.bin", "image/png", content)
    assert request.form["note"] == "hé"
    file.save(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == content
    target = io.BytesIO()
    file.save(target)
    assert target.getvalue() == content


@pytest.mark.parametrize("body", [b"", b"--XX", b"--XX\r\nbroken\r\n--XX--", b"\r\n\r\n--XX\r\n\r\nx"])
def test_a_broken_form_is_an_empty_form(body: bytes) -> None:
    request = make(body=body, content_type="multipart/form-data; boundary=XX")
    assert (dict(request.form), dict(request.files)) == ({}, {})


def test_responses() -> None:
    response = AMLResponse("hé", 200, {"A": "1, 2"})
    assert (response.data, response.headers.get("content-type")) == ("hé".encode(), "text/html; charset=utf-8")
    assert [value for name, value in response.headers if name == "A"] == ["1", "2"]
    assert AMLResponse({"a": 1}, 200, json_str=True).json == {"a": 1}
    assert AMLResponse(None, 200).data == b"{}"
    assert AMLResponse(iter([b"a", "b"]), 200).get_data(as_text=True) == "ab"
    with pytest.raises(TypeError):
        AMLResponse(5, 200)


@pytest.mark.parametrize(("name", "value"), [("A", "b\r\nC: d"), ("A\n", "b"), ("", "b"), ("A B", "c")])
def test_headers_that_would_break_the_head_are_refused(name: str, value: str) -> None:
    with pytest.raises(UnsafeHeader):
        check_header(name, value)


def test_a_new_id_is_made_when_none_is_sent() -> None:
    first, second = identify({}), identify({})
    assert first.request_id != second.request_id
    assert first.headers == [("x-request-id", first.request_id), ("x-ms-request-id", first.request_id)]


def test_cross_origin_without_an_origin() -> None:
    assert Cors("*").headers("GET", {}) == [("Access-Control-Allow-Origin", "*")]
    assert Cors("http://a, http://b").headers("GET", {}) == [("Access-Control-Allow-Origin", "http://a")]
    assert Cors("*").headers("GET", {"origin": "http://x"})[-1] == ("Vary", "Origin")


def test_scripts_find_ours_even_beside_the_real_packages(package: Path, tmp_path: Path) -> None:
    real = tmp_path / "azureml_inference_server_http"
    (real / "api").mkdir(parents=True)
    (real / "__init__.py").write_text("raise RuntimeError('not this one')")
    (real / "api" / "__init__.py").write_text("")
    (real / "api" / "aml_request.py").write_text("AMLRequest = None")
    (real / "other.py").write_text("here = True")
    core = tmp_path / "azureml"
    core.mkdir()
    (core / "__init__.py").write_text("real = True")
    code = """
from slipway_scoring import compat
compat.install()
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_request import AMLRequest as Old
from azureml.contrib.services.aml_response import AMLResponse
import azureml, azureml_inference_server_http.other as other
assert AMLRequest is Old and AMLRequest.__module__.startswith("slipway_scoring")
assert azureml.real and other.here
"""
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": f"{package}:{tmp_path}"}, check=True)
