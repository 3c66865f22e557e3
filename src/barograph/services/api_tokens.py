"""A user's own tokens, for programs that act in the user's name."""

from collections.abc import Sequence
from threading import Lock

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.user import Principal, Token, require_user
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.names import check_name
from barograph.services.registry import Registry
from barograph.services.tokens import BROWSER_SESSION, digest_of, new_token

USER_TOKENS_MAX = 100


class ApiTokens:
    """Makes, lists and revokes API tokens."""

    def __init__(self, catalog: Catalog, registry: Registry, clock: Clock) -> None:
        self._catalog = catalog
        self._registry = registry
        self._clock = clock
        self._lock = Lock()

    def list(self, principal: Principal, user_id: int) -> Sequence[Token]:
        """The user's tokens, browser sessions included; raises `NotFound` for another's."""
        require_user(principal, user_id)
        return self._catalog.tokens.of_user(user_id)

    def create(self, principal: Principal, user_id: int, name: str) -> tuple[Token, str]:
        """A new token and its text, which nobody can ask for again."""
        require_user(principal, user_id)
        if check_name("name", name) == BROWSER_SESSION:
            raise InvalidInput.of("name", f"only a browser's session is called {name!r}")
        with self._lock:
            if self._registry.user(user_id) is None:
                raise NotFound("there is no such user")
            held = self._catalog.tokens.of_user(user_id)
            if sum(token.name != BROWSER_SESSION for token in held) >= USER_TOKENS_MAX:
                raise Conflict(f"a user has at most {USER_TOKENS_MAX} tokens: revoke one first")
            text = new_token()
            token = self._catalog.tokens.create(
                Token(0, digest_of(text), user_id=user_id, name=name, created_time=self._clock())
            )
        self._registry.put_token(token)
        return token, text

    def revoke(self, principal: Principal, user_id: int, token_id: int) -> None:
        """Refuse the token for ever; raises `NotFound` unless it is one of the user's."""
        for token in self.list(principal, user_id):
            if token.id == token_id:
                self._catalog.tokens.revoke(token_id)
                self._registry.drop_token(token.digest)
                return
        raise NotFound("there is no such token")
