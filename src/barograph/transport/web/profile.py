"""One's own account: names, password, API tokens, sessions, and what others share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.errors import BarographError, InvalidInput
from barograph.domain.time import SECOND
from barograph.domain.user import Token, User, require_device
from barograph.services.browser_sessions import LIFETIME
from barograph.services.tokens import BROWSER_SESSION
from barograph.transport.http.access import SESSION_COOKIE
from barograph.transport.http.users import address_of
from barograph.transport.web.language import marked
from barograph.transport.web.lives import LIVES, expires_time
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, set_cookie, status_of

_DONE = {
    "saved": marked("Saved."),
    "password": marked("The new password holds from now on; your other sessions have ended."),
    "revoked": marked("The token is refused from now on."),
    "left": marked("The device is not shared with you any more."),
}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as a page lists it."""

    token: Token
    is_session: bool
    until: int | None
    """When it ends by itself."""
    expired: bool


def token_rows(tokens: Iterable[Token], now: int) -> list[TokenRow]:
    """The tokens as pages list them: the newest first, sessions last."""
    found = []
    for token in tokens:
        is_session = token.name == BROWSER_SESSION
        until = token.created_time + LIFETIME if is_session else token.expires_time
        found.append(TokenRow(token, is_session, until, until is not None and until <= now))
    return sorted(found, key=lambda row: (row.is_session, -row.token.created_time))


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/profile`."""
    core = site.core
    accounts = core.accounts
    pages = APIRouter(prefix="/ui/profile", **options)

    def profile_page(
        visit: Visit,
        done: str = "",
        token: str | None = None,
        where: str = "",
        problem: BarographError | None = None,
    ) -> HTMLResponse:
        """The page; `problem` is shown in the form called `where`."""
        user = visit.user
        if user is None:
            return visit.page("profile_operator.html", is_open=accounts.registration == "open")
        shared = [
            (device, device.shared[user.id])
            for device in core.registry.devices_for(visit.asker)
            if user.id in device.shared
        ]
        return visit.page(
            "profile.html",
            200 if problem is None else status_of(problem),
            tokens=token_rows(accounts.tokens.list(visit.asker, user.id), visit.now),
            new_token=token,
            lives=LIVES,
            shared=[
                (device, writes, core.registry.user(device.user_id or 0))
                for device, writes in shared
            ],
            done=_DONE.get(done, ""),
            problems={where: message_of(visit, problem)} if problem else {},
            password_chars_min=core.limits.password_chars_min,
        )

    @pages.get("")
    def profile(visit: Annotated[Visit, Depends(visits.known)], done: str = "") -> HTMLResponse:
        return profile_page(visit, done)

    @pages.post("")
    def change(
        visit: Annotated[Visit, Depends(visits.sending)],
        username: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
    ) -> Response:
        user = _user(visit)
        given = {"username": username.strip(), "email": email.strip() or None}
        changes = {name: value for name, value in given.items() if value != getattr(user, name)}
        try:
            accounts.update(visit.asker, user.id, **changes)
        except MISTAKES as error:
            return profile_page(visit, where="names", problem=error)
        return RedirectResponse("/ui/profile?done=saved", 303)

    @pages.post("/password")
    def set_password(
        visit: Annotated[Visit, Depends(visits.sending)],
        request: Request,
        old_password: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            changed = accounts.change_own_password(
                visit.asker, old_password, password, address_of(request)
            )
        except MISTAKES as error:
            return profile_page(visit, where="password", problem=error)
        # The change ended this session with the others: go on with a new one.
        response = RedirectResponse("/ui/profile?done=password", 303)
        value = accounts.open_browser(changed)
        set_cookie(request, response, SESSION_COOKIE.decode(), value, LIFETIME // SECOND)
        return response

    @pages.post("/tokens")
    def make_token(
        visit: Annotated[Visit, Depends(visits.sending)],
        name: Annotated[str, Form()] = "",
        scope: Annotated[str, Form()] = "full",
        lives: Annotated[str, Form()] = "",
    ) -> Response:
        user = _user(visit)
        try:
            _, text = accounts.tokens.create(
                visit.asker,
                user.id,
                name.strip(),
                reads_only=scope == "read",
                expires_time=expires_time(lives, visit.now),
            )
        except MISTAKES as error:
            return profile_page(visit, where="token", problem=error)
        return profile_page(visit, token=text)

    @pages.post("/tokens/{token_id}/revoke")
    def revoke(visit: Annotated[Visit, Depends(visits.sending)], token_id: int) -> Response:
        accounts.tokens.revoke(visit.asker, _user(visit).id, token_id)
        return RedirectResponse("/ui/profile?done=revoked", 303)

    @pages.post("/shared/{device_id}/leave")
    def leave(visit: Annotated[Visit, Depends(visits.sending)], device_id: int) -> Response:
        device = require_device(visit.asker, core.registry.device(device_id))
        core.sharing.end(visit.asker, device, _user(visit).id)
        return RedirectResponse("/ui/profile?done=left", 303)

    return pages


def _user(visit: Visit) -> User:
    if visit.user is None:
        raise InvalidInput.of("", marked("The local operator is no user and has no profile."))
    return visit.user
