"""A user's own tokens, for programs that act in the user's name."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.time import MINUTE
from barograph.domain.user import Principal, Token, require_user
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.audit import Audit
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
        self._audit = Audit(catalog, registry, clock)

    def list(self, principal: Principal, user_id: int) -> Sequence[Token]:
        """The user's tokens, browser sessions included; raises `NotFound` for another's."""
        require_user(principal, user_id)
        self.note_uses()
        return self._catalog.tokens.of_user(user_id)

    def note_uses(self) -> None:
        """Have the catalog know which of the users' tokens were used lately."""
        now = self._clock()
        used = [token for token in self._registry.take_used() if token.user_id is not None]
        self._catalog.tokens.touch({token.id: now for token in used})

    def create(
        self,
        principal: Principal,
        user_id: int,
        name: str,
        *,
        reads_only: bool = False,
        expires_time: int | None = None,
    ) -> tuple[Token, str]:
        """A new token and its text, which nobody can ask for again.

        One that `reads_only` changes nothing; one with `expires_time` is refused from then on.
        """
        require_user(principal, user_id, write=True)
        if expires_time is not None and expires_time < self._clock() + MINUTE:
            raise InvalidInput.of("expires_time", "a token lives for at least a minute")
        if check_name("name", name) == BROWSER_SESSION:
            raise InvalidInput.of("name", f"only a browser's session is called {name!r}")
        with self._registry.alone("tokens"):
            if self._registry.user(user_id) is None:
                raise NotFound("there is no such user")
            held = self._catalog.tokens.of_user(user_id)
            if sum(token.name != BROWSER_SESSION for token in held) >= USER_TOKENS_MAX:
                raise Conflict(f"a user has at most {USER_TOKENS_MAX} tokens: revoke one first")
            text = new_token()
            token = Token(
                0,
                digest_of(text),
                user_id=user_id,
                name=name,
                created_time=self._clock(),
                expires_time=expires_time,
                reads_only=reads_only,
            )
            detail = {"token": name, "scope": "read" if reads_only else "full"}
            with self._noting(principal, "token.create", user_id, detail):
                token = self._catalog.tokens.create(token)
            self._registry.put_token(token)
        return token, text

    def revoke(self, principal: Principal, user_id: int, token_id: int) -> None:
        """Refuse the token for ever; raises `NotFound` unless it is one of the user's."""
        require_user(principal, user_id, write=True)
        for token in self.list(principal, user_id):
            if token.id == token_id:
                with self._registry.alone("tokens"):
                    with self._noting(principal, "token.revoke", user_id, {"token": token.name}):
                        self._catalog.tokens.revoke(token_id)
                    self._registry.drop_token(token.digest)
                return
        raise NotFound("there is no such token")

    def _noting(
        self, principal: Principal, action: str, user_id: int, detail: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        user = self._registry.user(user_id)
        return self._audit.along(principal, action, user.username if user else "", user_id, detail)
