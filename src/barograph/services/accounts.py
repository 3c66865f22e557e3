"""Users: who they are, how they prove it, and how they come and go."""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from barograph.domain.limits import Limits
from barograph.domain.time import DAY, SECOND
from barograph.domain.user import (
    Principal,
    Role,
    Token,
    User,
    require_admin,
    require_user,
)
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.page import Page
from barograph.ports.processes import Tries
from barograph.services.access_tokens import AccessTokens, password_stamp
from barograph.services.api_tokens import ApiTokens
from barograph.services.audit import Audit
from barograph.services.browser_sessions import BrowserSessions
from barograph.services.devices import DeviceService
from barograph.services.failed_sign_ins import FailedSignIns
from barograph.services.names import EMAIL_CHARS_MAX, USERNAME_CHARS_MAX, check_email, check_name
from barograph.services.passwords import Passwords
from barograph.services.rate_limit import RateLimit, is_this_machine, neighbourhood
from barograph.services.registry import Registry
from barograph.services.tokens import digest_of, is_token, new_token

REFRESH_LIFETIME = 30 * DAY
"""How long a session lasts without being used."""

ROLES: tuple[Role, ...] = ("admin", "member", "viewer")

_RULES = "users"
"""Rules about more than one user (a name that is another's e-mail address, the last administrator)
are checked and acted upon by one thread at a time."""
_SETUP = "setup_link_token"
_WRONG = "the username or the password is not right"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a sign-in gives: two credentials, each shown once."""

    user: User
    access_token: str
    expires_in: int
    """Seconds until the access token expires."""
    refresh_token: str


class Accounts:
    """Registers, signs in, changes and removes users, and recognises their credentials."""

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        devices: DeviceService,
        passwords: Passwords,
        access_tokens: AccessTokens,
        clock: Clock,
        limits: Limits,
        *,
        registration: Literal["open", "closed"] = "open",
        tries: Tries | None = None,
    ) -> None:
        """`tries` counts for several processes."""
        self._catalog = catalog
        self._registry = registry
        self._devices = devices
        self._passwords = passwords
        self._access_tokens = access_tokens
        self._clock = clock
        self._limits = limits
        self.registration = registration
        self.audit = Audit(catalog, registry, clock)
        self.tokens = ApiTokens(catalog, registry, clock)
        self.browser = BrowserSessions(catalog, registry, clock)
        self._by_account = RateLimit(
            clock, "failed sign-ins of this user", burst=10, interval_seconds=20, tries=tries
        )
        self._by_address = RateLimit(
            clock, "failed sign-ins from this address", burst=50, interval_seconds=5, tries=tries
        )
        self._failures = FailedSignIns(self.audit, clock, tries)
        self._registrations = RateLimit(
            clock, "registrations from this address", burst=50, interval_seconds=10, tries=tries
        )

    # Registration

    def register(
        self,
        username: str,
        email: str | None,
        password: str | None,
        by: Principal | None = None,
        *,
        role: Role = "member",
        address: str | None = None,
    ) -> tuple[User, str]:
        """A new user and the text of its first API token.

        `by` is who asks, None for a stranger, whose `address` counts then. Raises `Forbidden`
        where that needs an administrator, `Conflict` for a taken name or address, `InvalidInput`,
        `TooManyRequests`.
        """
        trusted = by is not None and by.is_admin and not by.token_reads_only
        if not trusted and (self.registration == "closed" or role != "member"):
            raise Forbidden("this needs an administrator: registration is closed to others")
        if not trusted and not is_this_machine(address):
            self._registrations.take(neighbourhood(address))
        text, now = new_token(), self._clock()
        token = Token(0, digest_of(text), name="first token", created_time=now)
        user = self._create(username, email, password, role, by, token)
        kept = self._catalog.tokens.find(token.digest)
        if kept is not None:  # nobody has revoked it yet
            self._registry.put_token(kept)
        return user, text

    def _create(
        self,
        username: str,
        email: str | None,
        password: str | None,
        role: Role,
        by: Principal | None,
        token: Token | None = None,
    ) -> User:
        check_name("username", username, USERNAME_CHARS_MAX)
        if email is not None:
            check_email(email)
        if password is not None:
            self._passwords.check(password, names=(username, email or username))
        self._refuse_taken(username, email)
        kept = None if password is None else self._passwords.hash(password)
        with self._registry.alone(_RULES):
            self._refuse_taken(username, email)
            with self.audit.along_with(by, "user.create", lambda user: {"role": user.role}):
                user = self._catalog.users.create(username, email, kept, role, self._clock(), token)
            self._registry.put_user(user)
        return user

    def _refuse_taken(self, username: str | None, email: str | None, but: int = 0) -> None:
        # Users sign in with either, so a name must not be another's address, nor the reverse.
        for at, text in (("username", username), ("e-mail address", email)):
            holder = self._catalog.users.find(text) if text else None
            if holder is not None and holder.id != but:
                raise Conflict(f"this {at} is taken already: choose another, or sign in")

    # Sign-in

    def check_password(self, username: str, password: str, address: str | None = None) -> User:
        """The user of that name (or e-mail address) and password.

        Raises `Unauthenticated`, in the same words and after the same time for an unknown user as
        for a wrong password; `TooManyRequests` after repeated failures for this user or from this
        address; `Overloaded`.
        """
        place = neighbourhood(address)
        user = self._find(username)
        account = str(user.id) if user else username[:EMAIL_CHARS_MAX].casefold()
        self._by_address.take(place)
        self._by_account.take(account)
        kept = user.password_hash if user else None
        if not self._passwords.verify(password, kept) or user is None or kept is None:
            self._failures.note(user, place)
            raise Unauthenticated(_WRONG)
        self._by_address.give_back(place)
        self._by_account.give_back(account)
        if self._passwords.outdated(kept):
            return self._rehash(user, password)
        return user

    def _find(self, username: str) -> User | None:
        try:
            check_name("username", username, EMAIL_CHARS_MAX)
        except InvalidInput:
            return None  # nobody is called so
        return self._catalog.users.find(username)

    def _rehash(self, user: User, password: str) -> User:
        kept = self._passwords.hash(password)
        with self._still(user):
            return self._save(user.id, {"password_hash": kept})

    def sign_in(self, username: str, password: str, address: str | None = None) -> SignedIn:
        """Sign in with a password; raises what `check_password` raises."""
        user = self.check_password(username, password, address)
        refresh, now = new_token(), self._clock()
        with self._still(user), self.audit.along(user, "user.sign_in", user.username, user.id):
            self._catalog.sessions.create(user.id, digest_of(refresh), now + REFRESH_LIFETIME, now)
        return self._signed_in(user, refresh)

    def open_browser(self, user: User) -> str:
        """The value of the cookie for a user who has just signed in; raises `Unauthenticated`."""
        with self._still(user):
            return self.browser.open(user)

    @contextmanager
    def _still(self, user: User) -> Iterator[None]:
        """Keeps the password as it is meanwhile; raises `Unauthenticated` if it was changed since.

        For a change ends the sessions that there are, and not one that is made afterwards.
        """
        with self._registry.alone(_RULES):
            now = self._catalog.users.get(user.id)
            if now is None or now.password_hash != user.password_hash:
                raise Unauthenticated(_WRONG)
            yield

    def refresh(self, refresh_token: str) -> SignedIn:
        """New credentials for a refresh token, which works once; raises `Unauthenticated`."""
        if is_token(refresh_token):
            fresh, now = new_token(), self._clock()
            with self._registry.alone(_RULES):
                user_id = self._catalog.sessions.rotate(
                    digest_of(refresh_token), digest_of(fresh), now + REFRESH_LIFETIME, now
                )
                user = None if user_id is None else self._catalog.users.get(user_id)
            if user is not None:
                return self._signed_in(user, fresh)
        raise Unauthenticated("the refresh token is not valid or was used before: sign in again")

    def sign_out(self, refresh_token: str) -> None:
        """End the session; its access token expires by itself. Unknown tokens are ignored."""
        if is_token(refresh_token):
            self._catalog.sessions.end(digest_of(refresh_token))

    def _signed_in(self, user: User, refresh_token: str) -> SignedIn:
        access_token = self._access_tokens.issue(user)
        return SignedIn(user, access_token, self._access_tokens.lifetime // SECOND, refresh_token)

    # Recognising

    def authenticate(self, credential: str) -> Principal:
        """Whose the access token, API token or device token is; raises `Unauthenticated`."""
        if credential.count(".") == 2:
            claims = self._access_tokens.verify(credential)
            user = self._registry.user(claims.user_id)
            if user is not None and hmac.compare_digest(claims.stamp, password_stamp(user)):
                return Principal("user", user.id, role=user.role)
        elif is_token(credential):
            principal = self._registry.principal_at(digest_of(credential), self._clock())
            if principal is not None:
                return principal
        raise Unauthenticated("the credential is not valid: it may have been revoked or mistyped")

    def session(self, cookie: str) -> Principal:
        """Whose the browser session is; raises `Unauthenticated`."""
        return self.browser.principal(cookie)

    # Reading and changing users

    def get(self, principal: Principal, user_id: int) -> User:
        """The user; raises `NotFound` for another's."""
        require_user(principal, user_id)
        user = self._catalog.users.get(user_id)
        if user is None:
            raise NotFound("there is no such user")
        return user

    def me(self, principal: Principal) -> User:
        """The user who asks; `NotFound` for the local operator, `Forbidden` for a device."""
        if principal.kind == "operator":
            raise NotFound("the local operator is no user: sign in, or send a user's token")
        return self.get(principal, principal.user_id or 0)

    def list(
        self, principal: Principal, *, search: str = "", limit: int = 100, offset: int = 0
    ) -> Page[User]:
        """All users, for administrators."""
        require_admin(principal)
        limit = min(limit, self._limits.page_items_max)
        return self._catalog.users.list(search=search, limit=limit, offset=offset)

    def update(
        self,
        principal: Principal,
        user_id: int,
        *,
        old_password: str | None = None,
        address: str | None = None,
        **changes: Any,
    ) -> User:
        """Set some of `username`, `email`, `password`, `role`.

        A role is an administrator's to give. Who is none must give `old_password` to change the
        password. A new password ends every session. Raises `NotFound` for another's user,
        `Conflict` for a taken name and for the last administrator's role.
        """
        user = self.get(principal, user_id)
        require_user(principal, user_id, write=True)
        if "role" in changes:
            require_admin(principal)
            if changes["role"] not in ROLES:
                raise InvalidInput.of("role", f"use one of {', '.join(ROLES)}")
        if "username" in changes:
            check_name("username", changes["username"], USERNAME_CHARS_MAX)
        if changes.get("email") is not None:
            check_email(changes["email"])
        if "password" in changes:
            if not principal.is_admin and user.password_hash is not None:
                self._check_old_password(user, old_password, address)
            password = changes.pop("password")
            names = (changes.get("username", user.username), changes.get("email") or user.username)
            self._passwords.check(password, names=names)
            changes["password_hash"] = self._passwords.hash(password)
        if not changes:
            return user
        shown = {name: value for name, value in changes.items() if name != "password_hash"}
        if "password_hash" in changes:
            shown["new_password"] = True
        with self._registry.alone(_RULES):
            self._refuse_taken(changes.get("username"), changes.get("email"), but=user_id)
            if changes.get("role", "admin") != "admin":
                self._refuse_last_admin(user_id)
            with self.audit.along_with(principal, "user.update", lambda _: shown):
                user = self._save(user_id, changes)
            if "password_hash" in changes:
                self._catalog.sessions.end_all(user_id)
                self.browser.close_all(user_id)
        return user

    def change_own_password(
        self, principal: Principal, old: str, new: str, address: str | None = None
    ) -> User:
        """Set one's own password, which here needs the old one of administrators, too.

        Raises what `update` raises.
        """
        user = self.me(principal)
        if user.password_hash is not None:
            self._check_old_password(user, old, address)
        return self.update(principal, user.id, old_password=old, password=new, address=address)

    def _check_old_password(self, user: User, old: str | None, address: str | None) -> None:
        try:
            self.check_password(user.username, old or "", address)
        except Unauthenticated:
            raise InvalidInput.of(
                "old_password", "changing the password needs the old one, and this is not it"
            ) from None

    def _save(self, user_id: int, changes: Mapping[str, Any]) -> User:
        user = self._catalog.users.update(user_id, changes)
        self._registry.put_user(user)
        return user

    def delete(
        self,
        principal: Principal,
        user_id: int,
        *,
        delete_devices: bool = False,
        devices_to: int | None = None,
    ) -> None:
        """Remove the user, whose devices are deleted with their readings or handed over before.

        Handing over needs an administrator. Raises `Conflict` where there are devices and neither
        was asked for, and for the last administrator.
        """
        user = self.get(principal, user_id)
        require_user(principal, user_id, write=True)
        with self._registry.alone(_RULES):
            self._refuse_last_admin(user_id)
            owned = self._registry.devices_of_user(user_id)
            if owned and devices_to is None and not delete_devices:
                raise Conflict(
                    f"this user still has devices ({len(owned)}): delete them with their readings "
                    "(devices=delete) or hand them over to another user (devices_to=<id>)"
                )
            if devices_to is not None:
                require_admin(principal)
                if devices_to == user_id:
                    raise InvalidInput.of("devices_to", "name another user")
            for device in owned:
                if devices_to is None:
                    self._devices.delete(principal, device)
                else:
                    self._devices.update(principal, device, user_id=devices_to)
            with self.audit.along(principal, "user.delete", user.username, user_id):
                self._catalog.users.delete(user_id)
            self._registry.drop_user(user_id)

    def _refuse_last_admin(self, user_id: int) -> None:
        admins = {user.id for user in self._every_user() if user.role == "admin"}
        if admins == {user_id}:
            raise Conflict("this is the last administrator: make another one first")

    def _every_user(self) -> Iterator[User]:
        offset, total = 0, 1
        while offset < total:
            page = self._catalog.users.list(limit=_PAGE, offset=offset)
            yield from page.items
            offset, total = offset + _PAGE, page.total

    # The first administrator

    def setup_link_token(self) -> str | None:
        """The secret of a new set-up link; None where there is an administrator already.

        Links given out before stop working.
        """
        if self._catalog.users.any_admin():
            return None
        token = new_token()
        self._catalog.secrets.put(_SETUP, digest_of(token))
        return token

    def check_setup(self, token: str) -> None:
        """Raises `Forbidden` unless this is the secret of a set-up link that works."""
        if self._catalog.users.any_admin():
            raise Forbidden("there is an administrator already: sign in")
        kept = self._catalog.secrets.get(_SETUP)
        right = is_token(token) and kept is not None
        if not right or not hmac.compare_digest(kept or b"", digest_of(token)):
            raise Forbidden("this set-up link is not valid: restart Barograph for a new one")

    def claim_setup(
        self, token: str, username: str, password: str, email: str | None = None
    ) -> User:
        """Make the first administrator; works once. Raises `Forbidden` for any but the right link.

        Also `InvalidInput` and `Conflict`, as `register` does.
        """
        with self._registry.alone("set-up"):
            self.check_setup(token)
            user = self._create(username, email, password, "admin", None)
            self._catalog.secrets.delete(_SETUP)
        return user
