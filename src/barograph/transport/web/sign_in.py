"""Signing in and out, the set-up link, registration; and what a browser remembers."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.errors import (
    BarographError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from barograph.domain.time import SECOND
from barograph.domain.user import User
from barograph.services.browser_sessions import LIFETIME
from barograph.transport.http.access import SESSION_COOKIE, Access
from barograph.transport.http.users import address_of
from barograph.transport.web.language import marked
from barograph.transport.web.session import Visits
from barograph.transport.web.site import (
    LANGUAGE_COOKIE,
    PREFERENCE_SECONDS,
    THEME_COOKIE,
    THEMES,
    Site,
    Visit,
    set_cookie,
    status_of,
)

_SESSION = SESSION_COOKIE.decode()
_SETTING_UP = {
    "title": marked("Set up Barograph"),
    "lead": marked("This link makes the first administrator, once."),
    "button": marked("Make the administrator"),
}
_REGISTERING = {
    "title": marked("Registration"),
    "lead": marked("With an account you add devices of your own and see their readings."),
    "button": marked("Register"),
}
_MISTAKES = (Conflict, Forbidden, InvalidInput, TooManyRequests, Unauthenticated)


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """The pages that need no credential, because they give one."""
    accounts = site.core.accounts
    limits = site.core.limits
    pages = APIRouter(**options)

    def signed_in(request: Request, user: User, following: str) -> Response:
        response = RedirectResponse(following, 303)
        value = accounts.open_browser(user)
        set_cookie(request, response, _SESSION, value, LIFETIME // SECOND)
        return response

    def sign_in_page(
        visit: Visit, following: str, status: int = 200, problem: str = "", username: str = ""
    ) -> HTMLResponse:
        return visit.page(
            "sign_in.html",
            status,
            next=following,
            problem=problem,
            username=username,
            registration_open=accounts.registration == "open",
        )

    @pages.get("/sign-in")
    def sign_in_form(
        visit: Annotated[Visit, Depends(visits.anyone)], request: Request, next: str = "/"
    ) -> Response:
        access: Access = request.app.state.access
        if access.admits_strangers(request.scope):
            response = RedirectResponse("/", 303)
            response.delete_cookie(_SESSION)
            return response
        return sign_in_page(visit, own_path(next))

    @pages.post("/sign-in")
    def sign_in(
        visit: Annotated[Visit, Depends(visits.sending_as_anyone)],
        request: Request,
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        following = own_path(next)
        try:
            user = accounts.check_password(username.strip(), password, address_of(request))
            return signed_in(request, user, following)
        except _MISTAKES as error:
            status = 401 if isinstance(error, Unauthenticated) else status_of(error)
            return sign_in_page(visit, following, status, visit.refusal(error), username)

    @pages.post("/sign-out", dependencies=[Depends(visits.sending_as_anyone)])
    def sign_out(request: Request) -> Response:
        accounts.browser.close(request.cookies.get(_SESSION, ""))
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(_SESSION)
        return response

    def account_page(
        visit: Visit,
        texts: Mapping[str, str],
        action: str,
        *,
        token: str | None = None,
        username: str = "",
        email: str = "",
        error: BarographError | None = None,
    ) -> HTMLResponse:
        """A form that makes an account, after an `error` with what was typed."""
        return visit.page(
            "account_new.html",
            200 if error is None else status_of(error),
            **{name: visit.text(text) for name, text in texts.items()},
            action=action,
            setup_token=token,
            problem="" if error is None else visit.refusal(error),
            username=username,
            email=email,
            password_chars_min=limits.password_chars_min,
        )

    def set_up_page(visit: Visit, token: str, **given: Any) -> HTMLResponse:
        return account_page(visit, _SETTING_UP, "/setup", token=token, **given)

    def registration_page(visit: Visit, **given: Any) -> HTMLResponse:
        if accounts.registration != "open":
            raise NotFound(marked("Registration is closed: ask an administrator for an account."))
        return account_page(visit, _REGISTERING, "/ui/register", **given)

    @pages.get("/setup")
    def set_up_form(
        visit: Annotated[Visit, Depends(visits.anyone)], token: str = ""
    ) -> HTMLResponse:
        accounts.check_setup(token)  # nobody fills in a form for a link that works no more
        return set_up_page(visit, token)

    @pages.post("/setup")
    def set_up(
        visit: Annotated[Visit, Depends(visits.sending_as_anyone)],
        request: Request,
        token: Annotated[str, Form()] = "",
        username: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            user = accounts.claim_setup(token, username.strip(), password, email.strip() or None)
        except _MISTAKES as error:
            return set_up_page(visit, token, username=username, email=email, error=error)
        return signed_in(request, user, "/")

    @pages.get("/ui/register")
    def registration_form(visit: Annotated[Visit, Depends(visits.anyone)]) -> HTMLResponse:
        return registration_page(visit)

    @pages.post("/ui/register")
    def register(
        visit: Annotated[Visit, Depends(visits.sending_as_anyone)],
        request: Request,
        username: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            user, _ = accounts.register(
                username.strip(), email.strip() or None, password, address=address_of(request)
            )
        except _MISTAKES as error:
            return registration_page(visit, username=username, email=email, error=error)
        return signed_in(request, user, "/")

    @pages.post("/ui/preferences", dependencies=[Depends(visits.sending_as_anyone)])
    def preferences(
        request: Request,
        next: Annotated[str, Form()] = "/",
        language: Annotated[str, Form()] = "",
        theme: Annotated[str, Form()] = "",
    ) -> Response:
        response = RedirectResponse(own_path(next), 303)
        if language in site.languages:
            set_cookie(request, response, LANGUAGE_COOKIE, language, PREFERENCE_SECONDS)
        if theme in THEMES:
            set_cookie(request, response, THEME_COOKIE, theme, PREFERENCE_SECONDS)
        return response

    return pages


def own_path(path: str) -> str:
    """`path` if it is a path of this site, else `/`: a link must not send visitors elsewhere."""
    plain = path.isprintable() and path.startswith("/") and "\\" not in path
    return path if plain and not path.startswith("//") else "/"
