"""Who visits a page, and whether a form really came from one of ours.

A form is refused unless the browser says that one of our pages sent it (`Sec-Fetch-Site`, or
`Origin` where that is missing), and unless it carries the same random token as a cookie that no
other site can read or set for us.
"""

import secrets
from hmac import compare_digest
from typing import Annotated

from fastapi import Form, Request

from barograph.domain.errors import Forbidden, Unauthenticated
from barograph.domain.user import Principal
from barograph.transport.http.access import same_site
from barograph.transport.http.asker import principal as principal_of
from barograph.transport.web.language import marked
from barograph.transport.web.site import CSRF_COOKIE, Site, Visit, preferences


class Visits:
    """The dependencies that turn a request into a `Visit`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def anyone(self, request: Request) -> Visit:
        """A visit that needs no credential."""
        return self._visit(request, None)

    async def known(self, request: Request) -> Visit:
        """A visit of a user or the local operator; raises `Unauthenticated`, `Forbidden`."""
        principal = await principal_of(request)
        if principal.kind == "device":
            raise Forbidden("a device's token reads and writes its own device only")
        return self._visit(request, principal)

    async def known_or_not(self, request: Request) -> Visit:
        """A visit that needs no credential; who has one keeps the navigation."""
        try:
            return await self.known(request)
        except (Unauthenticated, Forbidden):
            return self._visit(request, None)

    async def sending(
        self,
        request: Request,
        csrf: Annotated[str, Form()] = "",
    ) -> Visit:
        """A visit that sends a form, of a user or the local operator; raises `Forbidden`."""
        check_form(request, csrf)
        return await self.known(request)

    async def sending_as_anyone(
        self,
        request: Request,
        csrf: Annotated[str, Form()] = "",
    ) -> Visit:
        """A visit that sends a form and needs no credential; raises `Forbidden`."""
        check_form(request, csrf)
        return self._visit(request, None)

    def _visit(self, request: Request, principal: Principal | None) -> Visit:
        language, theme, zone = preferences(self._site, request)
        core = self._site.core
        user = None
        if principal is not None and principal.user_id is not None:
            user = core.registry.user(principal.user_id)
            if user is None:
                raise Unauthenticated("this user is not there any more")
        csrf = request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(24)
        return Visit(
            self._site, request, language, theme, zone, core.clock(), principal, user, csrf
        )


def check_form(request: Request, csrf: str) -> None:
    """Raises `Forbidden` unless one of our pages sent the form."""
    cookie = request.cookies.get(CSRF_COOKIE, "")
    if (
        not same_site(request.scope)
        or not cookie
        or not compare_digest(cookie.encode(), csrf.encode())
    ):
        raise Forbidden(
            marked("This form did not come from an open page of this site. Go back and reload.")
        )
