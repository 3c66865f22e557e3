"""Access tokens: what we signed is believed while it is in force, and nothing else."""

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.errors import Unauthenticated
from barograph.domain.time import MINUTE, SECOND
from barograph.domain.user import User
from barograph.services.access_tokens import AccessTokens, password_stamp

USER = User(7, "ada", password_hash="$argon2id$one")
NOW = 1_760_000_000 * SECOND


class Kept:
    def __init__(self, key=b"k" * 32):
        self.key = key

    def get_or_create(self, name, value):
        self.key = self.key or value
        return self.key


def tokens(now=NOW, key=b"k" * 32):
    return AccessTokens(Kept(key), lambda: now)


def signed(key=b"k" * 32, algorithm="HS256", **changes):
    now = NOW // SECOND
    claims = {
        "iss": "barograph",
        "aud": "barograph",
        "sub": "7",
        "iat": now,
        "exp": now + 60,
        "jti": "1",
        "pwd": "x",
        **changes,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm)


def test_a_token_says_whose_it_is_and_for_which_password():
    claims = tokens().verify(tokens().issue(USER))
    assert claims.user_id == 7
    assert claims.stamp == password_stamp(USER)


def test_two_tokens_of_one_moment_differ():
    assert tokens().issue(USER) != tokens().issue(USER)


def test_a_token_ends_with_its_lifetime_by_our_own_clock():
    token = tokens().issue(USER)
    assert tokens(NOW + 15 * MINUTE - SECOND).verify(token).user_id == 7
    with pytest.raises(Unauthenticated, match="expired"):
        tokens(NOW + 15 * MINUTE).verify(token)


def test_the_key_survives_a_restart(catalog, clock):
    token = AccessTokens(catalog.secrets, clock).issue(USER)
    assert AccessTokens(catalog.secrets, clock).verify(token).user_id == 7


def test_a_token_by_hand_with_all_claims_is_believed():
    assert tokens().verify(signed()).user_id == 7


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"sub": "ada"},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"jti": None},
        {"pwd": None},
        {"pwd": 5},
        {"exp": "soon"},
        {"exp": 10.5},
        {"key": b"z" * 32},
        {"algorithm": "HS512", "key": b"k" * 64},
    ],
)
def test_a_token_that_is_not_wholly_ours_is_refused(change):
    with pytest.raises(Unauthenticated):
        tokens().verify(signed(**change))


def test_an_unsigned_token_is_refused():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = signed().split(".")[1]
    for algorithm in ("none", "None", "NONE"):
        for signature in ("", "x"):
            with pytest.raises(Unauthenticated):
                tokens().verify(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{payload}.{signature}")


def test_every_truncation_of_a_token_is_refused():
    token = tokens().issue(USER)
    for end in range(len(token)):
        with pytest.raises(Unauthenticated):
            tokens().verify(token[:end])


@given(st.text(max_size=40))
def test_any_text_is_refused_in_the_same_way(text):
    for token in (text, f"{text}.{text}.{text}", tokens().issue(USER) + text + "="):
        with pytest.raises(Unauthenticated):
            tokens().verify(token)


def test_a_very_long_token_is_refused_without_decoding_it():
    with pytest.raises(Unauthenticated):
        tokens().verify(signed(more="x" * 2000))
