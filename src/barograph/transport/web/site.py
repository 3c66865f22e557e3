"""What all pages share: language, theme, zone, templates, headers, and how errors look."""

import gzip
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from barograph.domain.errors import (
    BarographError,
    Conflict,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from barograph.domain.time import format_time, from_text, parse_zone
from barograph.domain.user import Principal, User
from barograph.services.core import Core
from barograph.transport.http.access import Access
from barograph.transport.http.request_body import bounded
from barograph.transport.web.language import Language, choose_language, load_languages, marked
from barograph.transport.web.snippets import MqttAddress
from barograph.transport.web.static_files import StaticFiles

logger = logging.getLogger(__name__)

CSRF_COOKIE = "barograph_form"
LANGUAGE_COOKIE = "barograph_language"
THEME_COOKIE = "barograph_theme"
ZONE_COOKIE = "barograph_zone"
THEMES = ("auto", "light", "dark")
PREFERENCE_SECONDS = 365 * 86_400

# No inline script and no inline style anywhere: what a device calls itself can at worst be text.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_PLACES = (
    ("/", marked("Devices"), "devices", False),
    ("/ui/dashboards", marked("Dashboards"), "dashboards", False),
    ("/ui/analytics", marked("Analytics"), "analytics", False),
    ("/ui/reports", marked("Reports"), "reports", False),
    ("/ui/inventory", marked("Inventory"), "inventory", False),
    ("/ui/people", marked("People"), "people", True),
    ("/ui/system", marked("System"), "system", True),
)

_COMPRESSED_BYTES_MIN = 1_000

_STATUS: Mapping[type[BarographError], int] = {
    MalformedInput: 400,
    InvalidInput: 422,
    TooLarge: 413,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyRequests: 429,
    Unavailable: 503,
}


def status_of(error: BarographError) -> int:
    """The HTTP status that a page shows the error with."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


class Site:
    """Makes the pages of one installation."""

    def __init__(self, core: Core, mqtt: MqttAddress | None = None) -> None:
        """`mqtt` is where devices publish; None where they cannot."""
        self.core = core
        self.mqtt = mqtt
        self.statics = StaticFiles()

    @cached_property
    def languages(self) -> Mapping[str, Language]:
        """The languages by code, read when the first page is asked for: many servers show none."""
        return load_languages()

    @cached_property
    def _environments(self) -> Mapping[str, Environment]:
        return {code: self._environment(language) for code, language in self.languages.items()}

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=PackageLoader("barograph.transport.web"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
        environment.globals.update(
            lang=language,
            languages=self.languages,
            static=self.statics.url,
            iso=format_time,
        )
        return environment

    def render(self, language: Language, template: str, context: Mapping[str, Any]) -> str:
        """The template's HTML in the language."""
        return self._environments[language.code].get_template(template).render(context)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page: who asks, and how they like to read."""

    site: Site
    request: Request
    language: Language
    theme: str
    zone: tzinfo
    now: int
    principal: Principal | None
    user: User | None
    csrf: str

    def page(self, template: str, http_status: int = 200, **context: Any) -> HTMLResponse:
        """The page, or the piece of one, that the template makes of the context."""
        html = self.site.render(
            self.language,
            template,
            {
                "visit": self,
                "theme": self.theme,
                "zone": self.zone,
                "now": self.now,
                "user": self.user,
                "principal": self.principal,
                "csrf": self.csrf,
                "here": self.here,
                "base_url": self.base_url,
                **context,
            },
        )
        response = HTMLResponse(html, http_status)
        if self.csrf and self.request.cookies.get(CSRF_COOKIE) != self.csrf:
            set_cookie(self.request, response, CSRF_COOKIE, self.csrf)
        return response

    @property
    def asker(self) -> Principal:
        """Who asks, on pages that let nobody in unknown."""
        assert self.principal is not None
        return self.principal

    @property
    def here(self) -> str:
        """The address of this page, to come back to."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def path(self) -> str:
        """The address of this page without its query."""
        return self.request.url.path

    @property
    def places(self) -> list[tuple[str, str, str]]:
        """The navigation of this visitor: address, label (to be translated) and name of each."""
        return [
            (href, label, name)
            for href, label, name, admins_only in _PLACES
            if self.is_admin or not admins_only
        ]

    @property
    def place(self) -> str:
        """The name of the part of the site that this page is in."""
        if self.path.startswith("/docs"):
            return "docs"
        _, _, rest = self.path.partition("/ui/")
        return rest.partition("/")[0] or "devices"

    @property
    def is_admin(self) -> bool:
        """Whether the pages of administrators are this visitor's to see."""
        return self.principal is not None and self.principal.is_admin

    @property
    def may_create(self) -> bool:
        """Whether the visitor may make things, which viewers may not."""
        return self.principal is not None and not self.principal.reads_only

    @property
    def base_url(self) -> str:
        """How the visitor reaches this server."""
        return str(self.request.base_url)

    @property
    def wants_piece(self) -> bool:
        """Whether htmx asks, to put the answer into the page that is already open."""
        return self.request.headers.get("hx-request") == "true"

    def moment_of(self, text: str | None) -> str:
        """A time that a program wrote, as the visitor reads times; other text (`-7d`) as it is."""
        if text is None:
            return "…"
        try:
            return self.language.moment(from_text(text, self.zone), self.zone)
        except ValueError:
            return text

    def text(self, message: str) -> str:
        """The message in the visitor's language."""
        return self.language.translations.gettext(message)


def set_cookie(
    request: Request, response: Response, name: str, value: str, seconds: int | None = None
) -> None:
    """Have the browser keep `value`, for this site's own pages only and out of scripts' reach."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def preferences(site: Site, request: Request) -> tuple[Language, str, tzinfo]:
    """The language, theme and zone that this browser remembers or asks for."""
    language = choose_language(
        site.languages,
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
    )
    theme = request.cookies.get(THEME_COOKIE, "auto")
    zone: tzinfo = site.core.zone
    remembered = request.cookies.get(ZONE_COOKIE)
    if remembered:
        try:
            zone = parse_zone(remembered)
        except ValueError:
            zone = site.core.zone
    return language, theme if theme in THEMES else "auto", zone


def page_route(site: Site) -> type[APIRoute]:
    """The route class of the pages: errors become pages, and every answer gets the headers."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                # A form is read before anybody looks at who sends it, files of it onto the disk.
                receive = bounded(request.receive, site.core.limits.body_bytes_max)
                try:
                    response = await handler(Request(request.scope, receive))
                except Unauthenticated:
                    response = _once_more(site, request) or _to_sign_in(request)
                except BarographError as error:
                    response = _error_page(site, request, status_of(error), str(error))
                except RequestValidationError:
                    response = _error_page(
                        site,
                        request,
                        422,
                        marked("The address or the form is not one of this page's."),
                    )
                except HTTPException as error:  # of reading a form, or of a body that is too large
                    response = _error_page(site, request, error.status_code, str(error.detail))
                except ClientDisconnect:
                    raise  # there is nobody to show a page to
                except Exception:
                    number = secrets.token_hex(4)
                    logger.exception(
                        "%s %s failed, request %s", request.method, request.url.path, number
                    )
                    response = _defect_page(site, request, number)
                return finished(request, response)

            return handle

    return PageRoute


def finished(request: Request, response: Response) -> Response:
    """The response with the headers that every answer of the pages has."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return _compressed(request, response)


def not_found(
    site: Site, request: Request, message: str = marked("there is no such file")
) -> Response:
    """The page that says so."""
    return finished(request, _error_page(site, request, 404, message))


def _compressed(request: Request, response: Response) -> Response:
    """The response, smaller where the browser can read it so.

    That a page holds both a secret (the form's token) and what an address says would let somebody
    who can ask for it a thousand times and measure guess the secret. Nobody can: other sites'
    requests come without our cookies, and the token is worth nothing without them.
    """
    body = getattr(response, "body", b"")
    if (
        len(body) < _COMPRESSED_BYTES_MIN
        or "content-encoding" in response.headers
        or "gzip" not in request.headers.get("accept-encoding", "")
    ):
        return response
    response.body = gzip.compress(body, 5, mtime=0)
    response.headers["Content-Length"] = str(len(response.body))
    response.headers["Content-Encoding"] = "gzip"
    response.headers.add_vary_header("Accept-Encoding")
    return response


def _once_more(site: Site, request: Request) -> Response | None:
    """A page that opens itself again, for who followed another site's link to this machine.

    The browser's word that another site caused the request is why it was refused; of the next
    request our own page is the cause.
    """
    if request.method != "GET" or request.headers.get("sec-fetch-mode") != "navigate":
        return None
    access: Access = request.app.state.access
    headers = [
        (name, value) for name, value in request.scope["headers"] if name != b"sec-fetch-site"
    ]
    if not access.admits_strangers({**request.scope, "headers": headers}):
        return None
    return _visit_of(site, request).page("once_more.html")


def _to_sign_in(request: Request) -> Response:
    """A page sends the visitor to the sign-in form; a piece of one has htmx do that."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": "/sign-in"})
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" + (f"?next={quote(back)}" if back != "/" else ""), 303)


def _error_page(
    site: Site, request: Request, status: int, message: str, number: str = ""
) -> HTMLResponse:
    return _visit_of(site, request).page(
        "error.html", status, status=status, message=message, number=number
    )


def _defect_page(site: Site, request: Request, number: str) -> HTMLResponse:
    """The page about a defect of ours; its number finds the cause in the log."""
    message = marked("Something went wrong inside Barograph. Its log says what, under this number:")
    response = _error_page(site, request, 500, message, number)
    response.headers["X-Request-Id"] = number
    return response


def _visit_of(site: Site, request: Request) -> Visit:
    """A visit of whoever it is; of nobody in particular where that cannot be told."""
    access: Access = request.app.state.access
    principal, user = None, None
    with suppress(BarographError):
        found = access.principal(request.scope)
        user = None if found.user_id is None else site.core.registry.user(found.user_id)
        if found.kind == "operator" or user is not None:
            principal = found
    language, theme, zone = preferences(site, request)
    # No new token: another site's request comes without the cookie, and must not replace it.
    csrf = request.cookies.get(CSRF_COOKIE, "")
    return Visit(site, request, language, theme, zone, site.core.clock(), principal, user, csrf)
