"""Keys and tokens."""

from __future__ import annotations

import hashlib
from typing import Any

import jwt
import pytest

from endpoints import services
from endpoints.models import EndpointKeys, TokenSigningKey
from endpoints.services import Keys, Token
from endpoints.services.sealing import seal, unseal
from endpoints.spec import tokens
from endpoints.spec.errors import Conflict, Forbidden, NotFound, Unavailable
from studio.access.models import User
from tests.people import person
from tests.services import world


def keys(actor: User) -> Keys:
    found = services.get_credentials(actor, name="risk")
    assert isinstance(found, Keys)
    return found


def test_keys_are_random_kept_encrypted_and_checked_by_digest(teammate: User) -> None:
    world.endpoint(teammate)
    shown, row = keys(teammate), EndpointKeys.objects.get()
    assert shown.primary != shown.secondary
    assert row.primary_digest == hashlib.sha256(shown.primary.encode()).hexdigest()
    assert shown.primary.encode() not in bytes(row.primary_secret)
    assert len(shown.primary) >= 43  # 256 bits


def test_credentials_have_azures_names(teammate: User) -> None:
    world.endpoint(teammate)
    assert set(keys(teammate).to_json()) == {"primaryKey", "secondaryKey"}
    token = Token("t", 2, 1).to_json()
    assert token == {"accessToken": "t", "expiryTimeUtc": 2, "refreshAfterTimeUtc": 1, "tokenType": "Bearer"}


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_one_key_is_replaced_and_the_other_goes_on_working(teammate: User, which: Any) -> None:
    world.endpoint(teammate)
    before = keys(teammate)
    after = services.regenerate_key(teammate, name="risk", key_type=which)
    assert after == keys(teammate)
    assert (before.primary != after.primary) is (which == "primary")
    assert (before.secondary != after.secondary) is (which == "secondary")


def test_a_token_is_signed_for_one_endpoint_and_ends(teammate: User, settings: Any) -> None:
    settings.SLIPWAY_TOKEN_LIFETIME_S = 100
    settings.SLIPWAY_TOKEN_REFRESH_S = 50
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aml_token"})
    token = services.get_credentials(teammate, name="risk")
    assert isinstance(token, Token)
    kid = jwt.get_unverified_header(token.access_token)["kid"]
    pem = TokenSigningKey.objects.get(pk=kid).public_pem
    claims = jwt.decode(
        token.access_token, pem, algorithms=[tokens.ALGORITHM], audience=tokens.audience("risk"), issuer=tokens.ISSUER
    )
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("tariq", 100)
    assert token.expires_at - token.refresh_after == 50
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token.access_token, pem, algorithms=[tokens.ALGORITHM], audience=tokens.audience("fraud"))


def test_a_retired_signing_key_signs_no_more(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aml_token"})
    first = services.get_token(teammate, name="risk")
    services.retire_signing_key()
    second = services.get_token(teammate, name="risk")
    kids = [jwt.get_unverified_header(token.access_token)["kid"] for token in (first, second)]
    assert len(set(kids)) == 2


def test_an_endpoint_that_changes_to_keys_gets_some(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aml_token"})
    with pytest.raises(Conflict, match="has no keys"):
        services.regenerate_key(teammate, name="risk")
    services.update_endpoint(teammate, name="risk", changes={"auth_mode": "key"})
    assert keys(teammate).primary


def test_tokens_of_an_identity_provider_are_not_ours_to_give(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aad_token"})
    with pytest.raises(Conflict, match="identity provider"):
        services.get_credentials(teammate, name="risk")


def test_who_may_see_keys(teammate: User, reader: User, stranger: User) -> None:
    world.endpoint(teammate)
    with pytest.raises(Forbidden, match="listKeys"):
        services.get_credentials(reader, name="risk")
    with pytest.raises(Forbidden, match="regenerateKeys"):
        services.regenerate_key(reader, name="risk")
    for name in ("risk", "none"):
        with pytest.raises(NotFound):
            services.get_credentials(stranger, name=name)


def test_a_scorer_fetches_tokens_without_seeing_more(teammate: User) -> None:
    scorer = person("scorer", "Endpoint Scorer", endpoint="risk")
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aml_token"})
    assert isinstance(services.get_credentials(scorer, name="risk"), Token)
    services.update_endpoint(teammate, name="risk", changes={"auth_mode": "key"})
    with pytest.raises(Forbidden, match="listKeys"):
        services.get_credentials(scorer, name="risk")


def test_a_secret_of_another_installation_is_told_as_such(settings: Any) -> None:
    sealed = seal(b"secret")
    assert unseal(sealed) == b"secret"
    settings.SECRET_KEY = "another installation's"
    with pytest.raises(Unavailable, match="SLIPWAY_SECRET_KEY"):
        unseal(sealed)
