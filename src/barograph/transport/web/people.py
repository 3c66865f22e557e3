"""The pages of administrators about users: all of them, and one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from barograph.domain.errors import BarographError, InvalidInput
from barograph.domain.user import Role, User, require_admin
from barograph.services.accounts import ROLES
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import MISTAKES, message_of
from barograph.transport.web.paging import part_of
from barograph.transport.web.profile import token_rows
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

_PAGE = 50

ROLE_TEXT: Mapping[Role, str] = {
    "admin": marked("administrator"),
    "member": marked("member"),
    "viewer": marked("viewer"),
}
_ROLE_HINT: Mapping[Role, str] = {
    "admin": marked("sees and changes everything"),
    "member": marked("adds devices of their own and sees them"),
    "viewer": marked("reads what is theirs or shared with them, and changes nothing"),
}


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """Below `/ui/people`."""
    core = site.core
    accounts = core.accounts
    pages = APIRouter(prefix="/ui/people", **options)

    def people_page(
        visit: Visit,
        search: str = "",
        page: int = 1,
        status: int = 200,
        problem: str = "",
        **given: str,
    ) -> HTMLResponse:
        found = part_of(
            core,
            lambda limit, offset: accounts.list(
                visit.asker, search=search, limit=limit, offset=offset
            ),
            page,
            _PAGE,
        )
        return visit.page(
            "people.html",
            status,
            users=[(user, len(core.registry.devices_of_user(user.id))) for user in found.items],
            total=found.total,
            search=search,
            page=found.page,
            pages=found.pages,
            page_url=lambda n: "/ui/people?" + urlencode({"search": search, "page": n}),
            role_text=ROLE_TEXT,
            role_hint=_ROLE_HINT,
            problem=problem,
            given=given,
            password_chars_min=core.limits.password_chars_min,
        )

    @pages.get("")
    def people(
        visit: Annotated[Visit, Depends(visits.known)],
        search: Annotated[str, Query(max_length=128)] = "",
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        return people_page(visit, search, page)

    @pages.post("")
    def add(
        visit: Annotated[Visit, Depends(visits.sending)],
        username: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        role: Annotated[str, Form()] = "member",
    ) -> Response:
        require_admin(visit.asker, write=True)
        try:
            user, _ = accounts.register(
                username.strip(),
                email.strip() or None,
                password or None,
                visit.asker,
                role=_role(role),
            )
        except MISTAKES as error:
            return people_page(
                visit,
                status=status_of(error),
                problem=message_of(visit, error),
                username=username,
                email=email,
                role=role,
            )
        return RedirectResponse(f"/ui/people/{user.id}?done=added", 303)

    def person_page(
        visit: Visit, user: User, done: str = "", problem: BarographError | None = None
    ) -> HTMLResponse:
        devices = core.registry.devices_of_user(user.id)
        others: Sequence[User] = [
            other for other in accounts.list(visit.asker, limit=200).items if other != user
        ]
        return visit.page(
            "person.html",
            200 if problem is None else status_of(problem),
            person=user,
            devices=devices,
            others=others,
            tokens=token_rows(accounts.tokens.list(visit.asker, user.id), visit.now),
            roles=ROLES,
            role_text=ROLE_TEXT,
            role_hint=_ROLE_HINT,
            done=_DONE.get(done, ""),
            problem="" if problem is None else message_of(visit, problem),
            password_chars_min=core.limits.password_chars_min,
        )

    def of(visit: Visit, user_id: int) -> User:
        require_admin(visit.asker)
        return accounts.get(visit.asker, user_id)

    @pages.get("/{user_id}")
    def person(
        visit: Annotated[Visit, Depends(visits.known)], user_id: int, done: str = ""
    ) -> HTMLResponse:
        return person_page(visit, of(visit, user_id), done)

    @pages.post("/{user_id}")
    def change(
        visit: Annotated[Visit, Depends(visits.sending)],
        user_id: int,
        username: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        role: Annotated[str, Form()] = "",
    ) -> Response:
        user = of(visit, user_id)
        given = {"username": username.strip(), "email": email.strip() or None, "role": role}
        changes = {name: value for name, value in given.items() if value != getattr(user, name)}
        try:
            accounts.update(visit.asker, user_id, **changes)
        except MISTAKES as error:
            return person_page(visit, user, problem=error)
        return RedirectResponse(f"/ui/people/{user_id}?done=saved", 303)

    @pages.post("/{user_id}/password")
    def set_password(
        visit: Annotated[Visit, Depends(visits.sending)],
        user_id: int,
        password: Annotated[str, Form()] = "",
    ) -> Response:
        user = of(visit, user_id)
        try:
            accounts.update(visit.asker, user_id, password=password)
        except MISTAKES as error:
            return person_page(visit, user, problem=error)
        return RedirectResponse(f"/ui/people/{user_id}?done=password", 303)

    @pages.post("/{user_id}/tokens/{token_id}/revoke")
    def revoke(
        visit: Annotated[Visit, Depends(visits.sending)], user_id: int, token_id: int
    ) -> Response:
        accounts.tokens.revoke(visit.asker, of(visit, user_id).id, token_id)
        return RedirectResponse(f"/ui/people/{user_id}?done=revoked", 303)

    @pages.post("/{user_id}/delete")
    def delete(
        visit: Annotated[Visit, Depends(visits.sending)],
        user_id: int,
        confirm: Annotated[str, Form()] = "",
        devices: Annotated[str, Form()] = "",
    ) -> Response:
        user = of(visit, user_id)
        try:
            if confirm.strip() != user.username:
                raise InvalidInput.of(
                    "", marked("The name was not typed as it is: nobody was removed.")
                )
            accounts.delete(
                visit.asker,
                user_id,
                delete_devices=devices == "delete",
                devices_to=int(devices) if devices.isdecimal() and len(devices) < 16 else None,
            )
        except MISTAKES as error:
            return person_page(visit, user, problem=error)
        return RedirectResponse("/ui/people", 303)

    return pages


_DONE = {
    "added": marked("The user was added."),
    "saved": marked("Saved."),
    "password": marked("The new password holds from now on; every session has ended."),
    "revoked": marked("The token is refused from now on."),
}


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise InvalidInput.of("role", f"use one of {', '.join(ROLES)}")
