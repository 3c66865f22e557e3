"""Who is asking: from a request's headers and peer to a `Principal`.

A credential, where one is given, decides alone. Without one a request is refused, but for two
cases: `auth = "open"`, and `auth = "auto"` while the server listens on loopback only. Then the
request acts as the local operator, if it really comes from this machine's user: not through a
proxy, not to a foreign host name (DNS rebinding), not from another site's page.
"""

import secrets
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Literal, Protocol

from starlette.types import Scope

from barograph.domain.errors import Forbidden, Unauthenticated
from barograph.domain.user import OPERATOR, Principal
from barograph.services.registry import Registry

AuthMode = Literal["auto", "required", "open"]

SESSION_COOKIE = b"barograph_session"

_SCHEMES = (b"bearer ", b"jwt ", b"token ")
_PROXY_HEADERS = (b"forwarded", b"x-forwarded-", b"x-real-ip", b"via")
"""What the names of headers that a proxy adds begin with."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_SIGNED_IN = (
    "a credential is needed: send the header Authorization: Bearer with a device's token, "
    "an API token or an access token"
)


class Authenticator(Protocol):
    """Knows credentials that are not plain tokens."""

    def authenticate(self, credential: str) -> Principal:
        """Whose the token or access token is; raises `Unauthenticated`."""

    def session(self, cookie: str) -> Principal:
        """Whose the browser session is; raises `Unauthenticated`."""


def is_loopback(host: str) -> bool:
    """Whether a listening address or a peer is this machine only."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or bool(
        address.version == 6 and address.ipv4_mapped and address.ipv4_mapped.is_loopback
    )


class Access:
    """The rule above, for every transport over HTTP."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        mode: AuthMode,
        listening: Iterable[str],
        operator_token: str | None = None,
    ) -> None:
        """`listening` are the addresses that the server is bound to."""
        self.operator_token = operator_token or secrets.token_urlsafe(32)
        """Makes its bearer the local operator while this program runs; for commands beside it."""
        self._operator_digest = sha256(self.operator_token.encode()).digest()
        self._registry = registry
        self._authenticator = authenticator
        self._open = mode == "open"
        self._local = mode == "auto" and all(map(is_loopback, listening))

    def principal(self, scope: Scope) -> Principal:
        """Who asks; raises `Unauthenticated`, or `Forbidden` for another site's page."""
        authorization = cookie = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"cookie":
                cookie = value
        if authorization:
            return self.of_header(authorization)
        session = _session_of(cookie) if cookie else None
        if session:
            principal = self._authenticator.session(session)
            if scope.get("method") not in _SAFE_METHODS and not same_site(scope):
                raise Forbidden("this request came from another site's page")
            return principal
        if self.admits_strangers(scope):
            return OPERATOR
        raise Unauthenticated(_NOT_SIGNED_IN)

    def of_header(self, authorization: bytes) -> Principal:
        """Whose the value of an `Authorization` header is; raises `Unauthenticated`."""
        credential = authorization.strip()
        lowered = credential[:7].lower()
        for scheme in _SCHEMES:
            if lowered.startswith(scheme):
                credential = credential[len(scheme) :].lstrip()
                break
        digest = sha256(credential).digest()
        principal = self._registry.principal(digest)
        if principal is not None:
            return principal
        if compare_digest(digest, self._operator_digest):
            return OPERATOR
        return self._authenticator.authenticate(credential.decode("latin-1"))

    def admits_strangers(self, scope: Scope) -> bool:
        """Whether this request may act as the local operator without a credential."""
        if self._open:
            return same_site(scope)
        client = scope.get("client")
        if not self._local or client is None or not is_loopback(client[0]):
            return False
        host = None
        for name, value in scope["headers"]:
            if name.startswith(_PROXY_HEADERS):
                return False
            if name == b"host":
                if host is not None:
                    return False  # which of two a proxy looked at, nobody knows
                host = value.decode("latin-1")
        return (host is None or is_loopback(host_name(host))) and same_site(scope)


def same_site(scope: Scope) -> bool:
    """Whether no browser says that another site's page caused the request."""
    host = origin = None
    for name, value in scope["headers"]:
        if name == b"sec-fetch-site" and value not in {b"same-origin", b"none"}:
            return False
        if name == b"host":
            host = value
        elif name == b"origin":
            origin = value
    if origin is None:
        return True
    return host is not None and origin.partition(b"://")[2] == host


def host_name(host: str) -> str:
    """The name of a `Host` header without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _session_of(cookie: bytes) -> str | None:
    for part in cookie.split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == SESSION_COOKIE:
            return value.decode("latin-1")
    return None
