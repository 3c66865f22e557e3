"""Access tokens: short-lived JSON Web Tokens (RFC 7519), signed by this installation."""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from uuid import uuid4

from barograph.domain.errors import Unauthenticated
from barograph.domain.time import MINUTE, SECOND
from barograph.domain.user import User
from barograph.ports.catalog import Secrets
from barograph.ports.clock import Clock

_KEY_NAME = "access_token_key"
_ISSUER = "barograph"
_CHARS_MAX = 1024
"""Ours have about 300 characters; what is longer is not worth decoding."""
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+\Z", re.ASCII)
_REFUSAL = "the access token is not valid: sign in again"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: whose it is, and which password it was given for."""

    user_id: int
    stamp: str


class AccessTokens:
    """Gives out and checks access tokens; its key is made once and kept in the catalog."""

    def __init__(self, kept: Secrets, clock: Clock, *, lifetime: int = 15 * MINUTE) -> None:
        self._key = kept.get_or_create(_KEY_NAME, secrets.token_bytes(32))
        self._clock = clock
        self.lifetime = lifetime
        """Microseconds."""

    def issue(self, user: User) -> str:
        """A token for the user, valid from now on for `lifetime`."""
        now = self._clock() // SECOND
        encoded: str = _jwt().encode(
            {
                "iss": _ISSUER,
                "aud": _ISSUER,
                "sub": str(user.id),
                "iat": now,
                "exp": now + self.lifetime // SECOND,
                "jti": uuid4().hex,
                "pwd": password_stamp(user),
            },
            self._key,
            algorithm="HS256",
        )
        return encoded

    def verify(self, token: str) -> Claims:
        """What the token says; raises `Unauthenticated` unless we signed it and it is in force."""
        if len(token) > _CHARS_MAX or not _SHAPE.match(token):
            raise Unauthenticated(_REFUSAL)
        jwt = _jwt()
        try:
            said = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=_ISSUER,
                issuer=_ISSUER,
                # The time is compared below, by our own clock.
                options={
                    "require": ["iss", "aud", "sub", "iat", "exp", "jti", "pwd"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            user_id, expires, stamp = int(said["sub"]), said["exp"], said["pwd"]
        except (jwt.InvalidTokenError, ValueError):
            raise Unauthenticated(_REFUSAL) from None
        if not isinstance(expires, int) or not isinstance(stamp, str):
            raise Unauthenticated(_REFUSAL)
        if expires <= self._clock() // SECOND:
            raise Unauthenticated("the access token has expired: refresh it or sign in again")
        return Claims(user_id, stamp)


def _jwt() -> ModuleType:
    """PyJWT, when it is needed first: it brings a cryptographic library of 11 MB along."""
    import jwt  # noqa: PLC0415  # see above

    return jwt


def password_stamp(user: User) -> str:
    """Changes with the password, so that tokens given for an earlier one are known by it.

    Says nothing of the password: the hash it digests is salted at random.
    """
    return sha256((user.password_hash or "").encode()).hexdigest()[:16]
