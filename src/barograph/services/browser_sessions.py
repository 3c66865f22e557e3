"""Who is signed in with a browser: the value of a cookie, which is no good as a token.

A session is a row among the user's tokens, so that the user sees it there and can end it, and it
stays ended. Its digest is keyed: the same text sent in an `Authorization` header, whose digest is
plain, does not match, and so cannot outlive the session's time.
"""

import hmac

from barograph.domain.errors import NotFound, Unauthenticated
from barograph.domain.time import DAY
from barograph.domain.user import Principal, Token, User
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.audit import Audit
from barograph.services.registry import Registry
from barograph.services.tokens import BROWSER_SESSION, is_token, new_token

USER_SESSIONS_MAX = 20
"""Signing in once more ends the oldest."""
LIFETIME = 14 * DAY

_KEY_NAME = "browser_session_key"


class BrowserSessions:
    """Opens, recognises and ends browser sessions."""

    def __init__(self, catalog: Catalog, registry: Registry, clock: Clock) -> None:
        self._catalog = catalog
        self._registry = registry
        self._clock = clock
        self._audit = Audit(catalog, registry, clock)
        self._key = catalog.secrets.get_or_create(_KEY_NAME, new_token().encode())

    def open(self, user: User) -> str:
        """The cookie's value for a user who has just signed in."""
        now = self._clock()
        open_ones = self._of_user(user.id)
        for i, token in enumerate(open_ones):
            if self._over(token, now) or i <= len(open_ones) - USER_SESSIONS_MAX:
                self._end(token)
        text = new_token()
        token = Token(
            0, self._digest(text), user_id=user.id, name=BROWSER_SESSION, created_time=now
        )
        with self._audit.along(user, "user.sign_in", user.username, user.id):
            token = self._catalog.tokens.create(token)
        self._registry.put_token(token)
        return text

    def principal(self, cookie: str) -> Principal:
        """Whose session it is; raises `Unauthenticated` when it is over."""
        if is_token(cookie):
            digest = self._digest(cookie)
            token = self._registry.token(digest)
            principal = self._registry.principal(digest)
            if token is not None and principal is not None and not self._over(token, self._clock()):
                return principal
        raise Unauthenticated("this session is over: sign in again")

    def close(self, cookie: str) -> None:
        """Sign out; a session that is over already is left alone."""
        token = self._registry.token(self._digest(cookie)) if is_token(cookie) else None
        if token is not None:
            self._end(token)

    def close_all(self, user_id: int) -> None:
        """End every session of the user."""
        for token in self._of_user(user_id):
            self._end(token)

    def _of_user(self, user_id: int) -> list[Token]:
        found = [
            token
            for token in self._catalog.tokens.of_user(user_id)
            if token.name == BROWSER_SESSION
        ]
        return sorted(found, key=lambda token: (token.created_time, token.id))

    def _over(self, token: Token, now: int) -> bool:
        return now >= token.created_time + LIFETIME

    def _end(self, token: Token) -> None:
        self._registry.drop_token(token.digest)
        try:
            self._catalog.tokens.revoke(token.id)
        except NotFound:
            return  # somebody else ended it at the same moment

    def _digest(self, cookie: str) -> bytes:
        return hmac.digest(self._key, cookie.encode("ascii"), "sha256")
