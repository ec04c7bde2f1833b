from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from endpoints.spec.routes import TokenRules
from tests.gateway.rig import Rig, endpoint, error_of, request, status_of

STUDIO_KEY = Ed25519PrivateKey.generate()
PEM = STUDIO_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
RULES = TokenRules(issuer="slipway", audience="sample", public_keys={"k1": PEM})
NOW = 1_700_001_000  # the rig's wall clock; the library checks against the real one as well
FAR = 4_000_000_000


def studio_token(*, key: Any = STUDIO_KEY, kid: str = "k1", **claims: Any) -> bytes:
    payload = {"iss": "slipway", "aud": "sample", "exp": FAR, **claims}
    return jwt.encode(payload, key, algorithm="EdDSA", headers={"kid": kid}).encode()


def ask(rig: Rig, token: bytes) -> bytes:
    """The answer; empty when the request was let through to an instance."""
    client = rig.client()
    client.send(request().replace(b"the-key", token))
    answer = client.got()
    client.leave()
    return answer


def test_a_studio_token_opens_its_endpoint(rig: Rig) -> None:
    rig.publish(endpoint(auth_mode="aml_token", token=RULES))
    assert ask(rig, studio_token()) == b""


BAD = {
    "expired": lambda: studio_token(exp=1),
    "no expiry": lambda: jwt.encode({"iss": "slipway", "aud": "sample"}, STUDIO_KEY, "EdDSA", {"kid": "k1"}).encode(),
    "another audience": lambda: studio_token(aud="other"),
    "another issuer": lambda: studio_token(iss="mallory"),
    "another key": lambda: studio_token(key=Ed25519PrivateKey.generate()),
    "an unknown key id": lambda: studio_token(kid="k9"),
    "no signature": lambda: jwt.encode({"iss": "slipway", "aud": "sample", "exp": FAR}, "", "none").encode(),
    "signed with the public key as a secret": lambda: _confused(),
    "nonsense": lambda: b"abc.def.ghi",
    "a key of the endpoint": lambda: b"the-key",
    "too long": lambda: b"a" * 20_000,
}


def _confused() -> bytes:
    import base64
    import hashlib
    import hmac

    def part(value: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "kid": "k1"}) + b"." + part({"iss": "slipway", "aud": "sample", "exp": FAR})
    mac = hmac.digest(PEM.encode(), signed, hashlib.sha256)
    return signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_a_bad_token_is_401(rig: Rig, make: Any) -> None:
    rig.publish(endpoint(auth_mode="aml_token", token=RULES))
    answer = ask(rig, make())
    assert (status_of(answer), error_of(answer)) == (401, "Unauthorized")


def test_a_token_ends_on_an_open_connection_too(rig: Rig) -> None:
    rig.publish(endpoint(auth_mode="aml_token", token=RULES))
    rig.plane.wall_clock = lambda: FAR - 100.0 + rig.now - 1000
    client = rig.client()
    client.send(request().replace(b"the-key", studio_token()))
    rig.asked().answer()
    client.got()
    rig.now += 200
    client.send(request().replace(b"the-key", studio_token()))
    assert status_of(client.got()) == 401


class Issuer:
    """An OIDC issuer on loopback."""

    def __init__(self) -> None:
        self.keys = {"one": rsa.generate_private_key(65537, 2048)}
        self.asked: list[str] = []
        self.is_down = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                if issuer.is_down:
                    self.send_error(503)
                    return
                body = json.dumps(issuer.page(self.path)).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def page(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        algorithm = jwt.get_algorithm_by_name("RS256")
        return {
            "keys": [
                {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}
                for kid, key in self.keys.items()
            ]
        }

    def token(self, kid: str = "one", **claims: Any) -> bytes:
        payload = {"iss": self.url, "aud": "https://ml.azure.com", "exp": FAR, "roles": ["score"], **claims}
        return jwt.encode(payload, self.keys[kid], algorithm="RS256", headers={"kid": kid}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    one = Issuer()
    yield one
    one.server.shutdown()
    one.server.server_close()


def publish(rig: Rig, issuer: Issuer) -> None:
    rules = TokenRules(issuer=issuer.url, audience="https://ml.azure.com", required_role="score")
    rig.publish(endpoint(auth_mode="aad_token", token=rules))


def ask_issuer(rig: Rig, token: bytes) -> int:
    """The status, or 200 when the request reached an instance."""
    client = rig.client()
    client.send(request().replace(b"the-key", token))
    while waiting := asyncio.all_tasks(rig.loop):
        rig.loop.run_until_complete(asyncio.wait(waiting))
    rig.settle()
    answer = client.got()
    client.leave()
    return status_of(answer) if answer else 200


def test_an_issuers_token_is_checked_with_keys_fetched_once(rig: Rig, issuer: Issuer) -> None:
    publish(rig, issuer)
    assert [ask_issuer(rig, issuer.token()) for _ in range(3)] == [200, 200, 200]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("claims", [{"roles": ["other"]}, {"roles": []}, {"aud": "x"}, {"exp": 1}, {"iss": "x"}])
def test_an_issuers_token_with_a_wrong_claim_is_401(rig: Rig, issuer: Issuer, claims: dict[str, Any]) -> None:
    publish(rig, issuer)
    assert ask_issuer(rig, issuer.token(**claims)) == 401


def test_a_new_key_of_the_issuer_is_fetched_but_made_up_ids_do_not_hammer_it(rig: Rig, issuer: Issuer) -> None:
    publish(rig, issuer)
    assert ask_issuer(rig, issuer.token()) == 200
    issuer.keys["two"] = rsa.generate_private_key(65537, 2048)
    rig.now += 60
    assert ask_issuer(rig, issuer.token("two")) == 200
    before = len(issuer.asked)
    issuer.keys["three"] = rsa.generate_private_key(65537, 2048)
    assert [ask_issuer(rig, issuer.token("three", jti=str(n))) for n in range(5)] == [401] * 5
    assert len(issuer.asked) == before


def test_an_issuer_that_is_down_does_not_lock_out_who_was_known(rig: Rig, issuer: Issuer) -> None:
    publish(rig, issuer)
    assert ask_issuer(rig, issuer.token()) == 200
    issuer.is_down = True
    rig.now += 7200
    assert ask_issuer(rig, issuer.token(jti="another")) == 200
    fresh = Rig(rig.plane.settings.home.root, rig.loop)  # starts from the keys on disk
    publish(fresh, issuer)
    assert ask_issuer(fresh, issuer.token()) == 200


def test_an_issuer_nobody_can_reach_is_401_not_a_hang(rig: Rig, issuer: Issuer) -> None:
    issuer.is_down = True
    publish(rig, issuer)
    assert ask_issuer(rig, issuer.token()) == 401
