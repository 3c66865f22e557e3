"""Whose a token is, answered from memory.

Changes are made one at a time; look-ups wait for none. What was refused stays refused, whatever is
changed at the same moment: a token has a principal only while its user, or its device, is known to
have it.
"""

from collections.abc import Iterable, Sequence
from threading import Lock

from barograph.domain.user import Principal, Token, User


class Credentials:
    """Users, and the tokens of users and of devices."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.generation = 0
        """Grows with every change."""
        self._users: dict[int, User] = {}
        self._tokens: dict[bytes, Token] = {}
        self._of_users: dict[int, tuple[Token, ...]] = {}
        self._of_devices: dict[int, tuple[Token, ...]] = {}
        self._principals: dict[bytes, Principal] = {}
        self._expiring: dict[bytes, tuple[int, Principal]] = {}
        self._used: set[bytes] = set()

    def principal(self, digest: bytes) -> Principal | None:
        """Whose the token with this SHA-256 digest is; one that expires is not found here."""
        found = self._principals.get(digest)
        if found is not None:
            self._used.add(digest)
        return found

    def principal_at(self, digest: bytes, now: int) -> Principal | None:
        """Whose the token with this digest is at this time."""
        expiring = self._expiring.get(digest)
        if expiring is None:
            return self.principal(digest)
        expires, found = expiring
        if expires <= now:
            return None
        self._used.add(digest)
        return found

    def take_used(self) -> list[Token]:
        """The tokens that were used since this was asked before."""
        used, self._used = self._used, set()
        # A copy: whoever was looking up a token meanwhile may still add to it.
        return [token for digest in list(used) if (token := self._tokens.get(digest)) is not None]

    def token(self, digest: bytes) -> Token | None:
        """The token with this SHA-256 digest."""
        return self._tokens.get(digest)

    def user(self, user_id: int) -> User | None:
        """The user with this id."""
        return self._users.get(user_id)

    def put_user(self, user: User) -> None:
        """Know the user, and so the rights of its tokens, as it is now."""
        with self._lock:
            self._users[user.id] = user
            for token in self._of_users.get(user.id, ()):
                self._let_in(token)
            self.generation += 1

    def drop_user(self, user_id: int) -> None:
        """Forget the user and refuse its tokens."""
        with self._lock:
            self._users.pop(user_id, None)
            self._keep_only(self._of_users, user_id, ())
            self.generation += 1

    def put_token(self, token: Token) -> None:
        """Let the token in, unless its user is unknown."""
        with self._lock:
            self._put(token)
            self.generation += 1

    def drop_token(self, digest: bytes) -> None:
        """Refuse the token from now on."""
        with self._lock:
            self._drop(digest)
            self.generation += 1

    def put_tokens_of_user(self, user_id: int, tokens: Sequence[Token]) -> None:
        """Refuse the user's tokens but these."""
        self._put_only(self._of_users, user_id, tokens)

    def put_tokens_of_device(self, device_id: int, tokens: Sequence[Token]) -> None:
        """Refuse the device's tokens but these."""
        self._put_only(self._of_devices, device_id, tokens)

    def know_only(self, users: Iterable[User], tokens: Iterable[Token]) -> None:
        """Know these, all at once, and forget what was known before."""
        fresh = Credentials()
        for user in users:
            fresh.put_user(user)
        for token in tokens:
            fresh.put_token(token)
        with self._lock:
            self._users, self._tokens = fresh._users, fresh._tokens
            self._of_users, self._of_devices = fresh._of_users, fresh._of_devices
            self._principals, self._expiring = fresh._principals, fresh._expiring
            self.generation += 1

    def users(self) -> list[User]:
        """Every user."""
        return list(self._users.values())

    def tokens(self) -> list[Token]:
        """Every token that stands for somebody."""
        return list(self._tokens.values())

    def _put_only(
        self, of: dict[int, tuple[Token, ...]], owner: int, tokens: Sequence[Token]
    ) -> None:
        with self._lock:
            self._keep_only(of, owner, tokens)
            for token in tokens:
                self._put(token)
            self.generation += 1

    def _keep_only(
        self, of: dict[int, tuple[Token, ...]], owner: int, tokens: Sequence[Token]
    ) -> None:
        kept = {token.digest for token in tokens}
        for token in of.get(owner, ()):
            if token.digest not in kept:
                self._drop(token.digest)

    def _put(self, token: Token) -> None:
        self._drop(token.digest)
        if self._let_in(token):
            self._tokens[token.digest] = token
            of, owner = self._held(token)
            of[owner] = (*of.get(owner, ()), token)

    def _let_in(self, token: Token) -> bool:
        """Whether the token stands for anybody, who is then found by it."""
        if token.device_id is not None:
            principal = Principal("device", device_id=token.device_id)
        else:
            assert token.user_id is not None
            user = self._users.get(token.user_id)
            if user is None:
                return False
            principal = Principal(
                "user", user.id, role=user.role, token_reads_only=token.reads_only
            )
        if token.expires_time is None:
            self._principals[token.digest] = principal
        else:
            self._expiring[token.digest] = token.expires_time, principal
        return True

    def _drop(self, digest: bytes) -> None:
        self._principals.pop(digest, None)
        self._expiring.pop(digest, None)
        token = self._tokens.pop(digest, None)
        if token is not None:
            of, owner = self._held(token)
            left = tuple(one for one in of.get(owner, ()) if one.digest != digest)
            if left:
                of[owner] = left
            else:
                of.pop(owner, None)

    def _held(self, token: Token) -> tuple[dict[int, tuple[Token, ...]], int]:
        """Whose tokens are kept where this one is, and under which id."""
        if token.device_id is not None:
            return self._of_devices, token.device_id
        assert token.user_id is not None
        return self._of_users, token.user_id
