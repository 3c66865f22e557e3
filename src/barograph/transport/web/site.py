"""What all pages share: language, theme, zone, templates, headers, and how errors look."""

import logging
import secrets
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.concurrency import iterate_in_threadpool
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
from barograph.transport.web.compression import compress, compress_parts, encoding_for
from barograph.transport.web.language import Language, choose_language, load_languages, marked
from barograph.transport.web.refusals import refusal
from barograph.transport.web.snippets import MqttAddress
from barograph.transport.web.static_files import static_files

logger = logging.getLogger(__name__)

_R = TypeVar("_R", bound=Response)

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
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_HTTPS_HEADERS = {"Cross-Origin-Opener-Policy": "same-origin"}
"""Browsers ignore it from other machines by plain HTTP, and warn of it. From this machine they heed
it, and start one more process before they show the first page, which is then seen later. A site
that opened the page could without it tell it to go elsewhere; it cannot read it."""

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
_SO_FAR: Final = "<!-- so far -->"
_MAIN: Final = '<main id="main">'

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


class PageInTwo(StreamingResponse):
    """A page of which the browser shows the first part while the rest is made, in a thread."""

    def __init__(self, parts: Iterator[str]) -> None:
        super().__init__(parts, media_type="text/html")
        self._parts = parts

    def compress(self, encoding: str) -> None:
        """Send it smaller, each part still on its own."""
        parts = compress_parts(encoding, (part.encode() for part in self._parts))
        self.body_iterator = iterate_in_threadpool(parts)


class Site:
    """Makes the pages of one installation."""

    def __init__(self, core: Core, mqtt: MqttAddress | None = None) -> None:
        """`mqtt` is where devices publish; None where they cannot."""
        self.core = core
        self.mqtt = mqtt
        self.statics = static_files()

    @property
    def languages(self) -> Mapping[str, Language]:
        """The languages by code, read when the first page is asked for: many servers show none."""
        return load_languages()

    def render(self, language: Language, template: str, context: Mapping[str, Any]) -> str:
        """The template's HTML in the language."""
        return _environment(language.code).get_template(template).render(context)

    def render_in_two(
        self,
        language: Language,
        template: str,
        context: Mapping[str, Any],
        more: Callable[[], Mapping[str, Any]],
    ) -> Iterator[str]:
        """The HTML as far as the template's mark `<!-- so far -->`; then, knowing `more()` as well, the rest.

        Templates that are included after the mark see what `more` tells; the block around it knows
        names from its beginning only.
        """
        page = _environment(language.code).get_template(template)
        known = page.new_context(dict(context))
        pieces = page.root_render_func(known)
        first: list[str] = []
        for piece in pieces:
            before, mark, after = piece.partition(_SO_FAR)
            first.append(before)
            if mark:
                yield "".join(first)
                known.vars.update(more())
                yield "".join([after, *pieces])
                return
        yield "".join(first)


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
        html = self.site.render(self.language, template, {**self._known, **context})
        return self._with_token(HTMLResponse(html, http_status))

    def page_in_two(
        self, template: str, more: Callable[[], Mapping[str, Any]], **context: Any
    ) -> Response:
        """The page, whose first part is sent before `more` finds out what the rest takes.

        What is refused with a status has to be refused before. Once the first part is sent, an
        error stands where the rest would.
        """
        parts = self.site.render_in_two(self.language, template, {**self._known, **context}, more)
        first = next(parts)  # what fails here still gets its status
        return self._with_token(PageInTwo(self._and_rest(first, parts)))

    def _and_rest(self, first: str, parts: Iterator[str]) -> Iterator[str]:
        yield first
        try:
            rest = next(parts, "")
        except Exception as error:  # noqa: BLE001 - as of any page, the page tells, or the log
            page = bytes(page_of(self.site, self.request, error).body).decode()
            rest = page.partition(_MAIN)[2]
        yield rest

    @property
    def _known(self) -> Mapping[str, Any]:
        return {
            "visit": self,
            "theme": self.theme,
            "zone": self.zone,
            "now": self.now,
            "user": self.user,
            "principal": self.principal,
            "csrf": self.csrf,
            "here": self.here,
            "base_url": self.base_url,
        }

    def _with_token(self, response: _R) -> _R:
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

    def refusal(self, error: BarographError) -> str:
        """What a service said, as a sentence in the visitor's language."""
        return self.sentence(str(error))

    def sentence(self, message: str) -> str:
        """The same of a message that has no error, or none any more."""
        return refusal(self.language, message)


@cache
def _environment(code: str) -> Environment:
    """The templates in one language, the same for every installation."""
    languages = load_languages()
    environment = Environment(
        loader=PackageLoader("barograph.transport.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(languages[code].translations, newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    environment.globals.update(
        lang=languages[code], languages=languages, static=static_files().url, iso=format_time
    )
    return environment


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
                except Exception as error:  # noqa: BLE001 - the page tells, or the log
                    response = page_of(site, request, error)
                return finished(request, response)

            return handle

    return PageRoute


def finished(request: Request, response: Response) -> Response:
    """The response with the headers that every answer of the pages has."""
    response.headers.update(_HEADERS)
    if request.url.scheme == "https":
        response.headers.update(_HTTPS_HEADERS)
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
    encoding = encoding_for(request.headers.get("accept-encoding", ""))
    if encoding is None or "content-encoding" in response.headers:
        return response
    if isinstance(response, PageInTwo):
        response.compress(encoding)
    elif len(body := getattr(response, "body", b"")) < _COMPRESSED_BYTES_MIN:
        return response
    else:
        response.body = compress(encoding, body)
        response.headers["Content-Length"] = str(len(response.body))
    response.headers["Content-Encoding"] = encoding
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
        address = "/sign-in"
        with suppress(ValueError):  # who says that it is htmx may say anything
            page = urlsplit(request.headers.get("hx-current-url", ""))
            address = _sign_in_and_back(page.path, page.query)
        return Response(status_code=204, headers={"HX-Redirect": address})
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    return RedirectResponse(_sign_in_and_back(request.url.path, request.url.query), 303)


def _sign_in_and_back(path: str, query: str) -> str:
    """The address of the form that leads back to this page."""
    back = path + (f"?{query}" if query else "")
    return "/sign-in" + (f"?next={quote(back)}" if back not in {"", "/"} else "")


def _error_page(
    site: Site, request: Request, status: int, message: str, number: str = ""
) -> HTMLResponse:
    return _visit_of(site, request).page(
        "error.html", status, status=status, message=message, number=number
    )


def page_of(site: Site, request: Request, error: Exception) -> HTMLResponse:
    """The page about an error; the one of a defect of ours has a number that finds it in the log."""
    if isinstance(error, BarographError):
        return _error_page(site, request, status_of(error), str(error))
    number = secrets.token_hex(4)
    logger.error(
        "%s %s failed, request %s", request.method, request.url.path, number, exc_info=error
    )
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
