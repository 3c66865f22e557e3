"""Who connects: from the credentials of a CONNECT to a `Principal` and the name it goes by.

    user name     password        acts as
    device's key  device's token  the device
    user's name   API token       the user; so does an access token, until it expires
    user's name   password        the user
    token         (none)          whose the token is; likewise the token as the password alone
    (none)        (none)          the local operator, where `transport.http.access` admits one

The name (`device:3`, `user:7`, `reader:7` by a token that reads only, `operator`, `anyone`) is stored
with the client's session, so it means the same after a restart. `anyone` is who comes without a credential where `auth` is `open`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from barograph.domain.errors import (
    BarographError,
    Forbidden,
    Overloaded,
    TooManyRequests,
    Unauthenticated,
)
from barograph.domain.user import OPERATOR, Principal
from barograph.mqtt.packets import Connect
from barograph.mqtt.reason import Reason
from barograph.services.accounts import Accounts
from barograph.services.registry import Registry
from barograph.transport.http.access import Access

OPERATOR_NAME = "operator"
STRANGER_NAME = "anyone"

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

_WRONG = "the user name and the password or token do not go together"


@dataclass(frozen=True, slots=True)
class Admission:
    """A client that was let in."""

    name: str
    """What the engine knows it by."""
    holds: Callable[[], bool]
    """Whether the credential is still good; looks into memory only."""


class MqttAccess:
    """The table above."""

    def __init__(
        self, registry: Registry, accounts: Accounts, access: Access, *, open: bool
    ) -> None:
        """`open`: whether strangers are admitted (the setting `auth`)."""
        self._registry = registry
        self._accounts = accounts
        self._access = access
        self._open = open

    def quick(self, connect: Connect, address: str, headers: Headers = ()) -> Admission | None:
        """The admission, or None where a password has to be checked, which takes its time.

        `headers` are those of the HTTP request that a WebSocket connection began with. Raises
        `Unauthenticated`, and `Forbidden` where a credential is missing.
        """
        username, password = connect.username, connect.password or b""
        if not username and not password:
            return self._anonymous(address, headers)
        if not username or not password:
            token = password or (username or "").encode()
            return self._admit(self._access.of_header(token), token)
        try:
            principal = self._access.of_header(password)
        except Unauthenticated:
            return None
        if not self._is_called(principal, username):
            raise Unauthenticated(_WRONG)
        return self._admit(principal, password)

    def slow(self, connect: Connect, address: str) -> Admission:
        """The admission by a user's password. Raises what `Accounts.check_password` does."""
        try:
            password = (connect.password or b"").decode()
        except UnicodeDecodeError:
            raise Unauthenticated(_WRONG) from None
        user = self._accounts.check_password(connect.username or "", password, address)

        def holds() -> bool:
            now = self._registry.user(user.id)
            return now is not None and now.password_hash == user.password_hash

        return Admission(f"user:{user.id}", holds)

    def principal(self, name: str) -> Principal | None:
        """Who goes by `name` now; None when there is no such user or device any more."""
        if name in {OPERATOR_NAME, STRANGER_NAME}:
            return OPERATOR
        kind, _, number = name.partition(":")
        if kind in {"user", "reader"}:
            user = self._registry.user(int(number))
            if user is None:
                return None
            return Principal("user", user.id, role=user.role, token_reads_only=kind == "reader")
        device = self._registry.device(int(number))
        return None if device is None else Principal("device", device_id=device.id)

    def _anonymous(self, address: str, headers: Headers) -> Admission:
        if not self._access.admits_strangers({"client": (address, 0), "headers": headers}):
            raise Forbidden("a credential is needed: a device's key and its token, say")
        return Admission(STRANGER_NAME if self._open else OPERATOR_NAME, lambda: True)

    def _admit(self, principal: Principal, credential: bytes) -> Admission:
        name = OPERATOR_NAME
        if principal.kind == "device":
            name = f"device:{principal.device_id}"
        elif principal.kind == "user":
            name = f"{'reader' if principal.token_reads_only else 'user'}:{principal.user_id}"
        digest = sha256(credential).digest()

        def holds() -> bool:
            if self._registry.principal(digest) is not None:
                return True
            try:
                self._access.of_header(credential)
            except BarographError:
                return False
            return True

        return Admission(name, holds)

    def _is_called(self, principal: Principal, username: str) -> bool:
        if principal.kind == "device":
            device = self._registry.device(username)
            return device is not None and device.id == principal.device_id
        if principal.kind == "user":
            user = self._registry.user(principal.user_id or 0)
            return user is not None and username.casefold() in {
                user.username.casefold(),
                (user.email or user.username).casefold(),
            }
        return True


def reason_of(error: BarographError) -> Reason:
    """How CONNACK says why the client is not let in."""
    if isinstance(error, TooManyRequests):
        return Reason.CONNECTION_RATE_EXCEEDED
    if isinstance(error, Overloaded):
        return Reason.SERVER_BUSY
    if isinstance(error, Unauthenticated):
        return Reason.BAD_USER_NAME_OR_PASSWORD
    if isinstance(error, Forbidden):
        return Reason.NOT_AUTHORIZED
    return Reason.SERVER_UNAVAILABLE
