"""`/api/users`: registering, reading, changing and removing users, and their API tokens."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.errors import Unauthenticated
from barograph.domain.time import SECOND, format_time
from barograph.domain.user import Principal, Role, Token, User
from barograph.services.core import Core
from barograph.services.names import USERNAME_CHARS_MAX
from barograph.transport.http.access import Access
from barograph.transport.http.asker import principal
from barograph.transport.http.joined import joined
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import (
    LEFT_OUT,
    Email,
    Id,
    Name,
    Offset,
    PageOf,
    PathId,
    Search,
    Time,
    page_limit,
    time_text,
)

Username = Annotated[Name, Field(max_length=USERNAME_CHARS_MAX)]
Password = Annotated[
    str,
    Field(
        description="8 to 1,024 characters, unless the settings say otherwise; not a common one.",
        json_schema_extra={"minLength": 8, "maxLength": 1024, "format": "password"},
    ),
]
Scope = Literal["full", "read"]
Asker = Annotated[Principal, Depends(principal)]

EXPIRES_SECONDS_MAX = 10 * 365 * 86_400


class NewUser(BaseModel):
    """Who registers. Without a password the user acts by token only."""

    username: Username
    email: Email
    password: Password | None = None
    role: Role = Field(default="member", description="Others than member: administrators only.")


class UserChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    username: Username = LEFT_OUT
    email: Email | None = LEFT_OUT
    password: Password = LEFT_OUT
    old_password: Annotated[
        str, Field(max_length=4096, description="To change the password, unless administrator.")
    ] = LEFT_OUT
    role: Role = LEFT_OUT


class UserBody(BaseModel):
    """A user."""

    id: int
    username: str
    email: str | None
    role: Role
    created_time: Time


class RegisteredUser(UserBody):
    """A new user, with the token that is shown this once."""

    token: str


class NewToken(BaseModel):
    """What to call a token, what it is good for, and until when."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    scope: Scope = Field(
        default="full", description="`read` changes nothing; `full` does what the user may."
    )
    expires_in: Annotated[
        int | None,
        Field(ge=60, le=EXPIRES_SECONDS_MAX, description="Seconds; without it until revoked."),
    ] = None


class TokenBody(BaseModel):
    """An API token, without its text."""

    id: int
    name: str
    scope: Scope
    expires_time: Time | None
    created_time: Time
    last_used_time: Time | None


class CreatedToken(TokenBody):
    """A new API token, with the text that is shown this once."""

    token: str


class TokenList(BaseModel):
    """A user's API tokens, browser sessions included."""

    items: list[TokenBody]


async def principal_if_any(request: Request) -> Principal | None:
    """FastAPI dependency: see `asker_if_any`."""
    return asker_if_any(request)


def asker_if_any(request: Request) -> Principal | None:
    """Who asks, None for a stranger; a credential that is not valid is still refused."""
    access: Access = request.app.state.access
    try:
        return access.principal(request.scope)
    except Unauthenticated:
        if "authorization" in request.headers:
            raise
        return None


def address_of(request: Request) -> str | None:
    """The network address that a request came from."""
    return request.client.host if request.client else None


def router(core: Core) -> APIRouter:
    """The routes below `/api/users`."""
    routes = APIRouter(prefix="/api/users", tags=["users"])
    accounts = core.accounts
    most = page_limit(core.limits)

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 409, 413, 422, 429))
    def register_user(
        body: NewUser,
        request: Request,
        asker: Annotated[Principal | None, Depends(principal_if_any)],
    ) -> RegisteredUser:
        """Register a user. Open to strangers while the setting `registration` is `open`."""
        user, token = accounts.register(
            body.username,
            body.email,
            body.password,
            asker,
            role=body.role,
            address=address_of(request),
        )
        return RegisteredUser(**_user(user).model_dump(), token=token)

    @routes.get("", responses=responses(401, 403, 422))
    def list_users(
        asker: Asker,
        search: Search = "",
        limit: int = most,
        offset: Offset = 0,
    ) -> PageOf[UserBody]:
        """All users; for administrators."""
        page = accounts.list(asker, search=search, limit=limit, offset=offset)
        return PageOf(
            items=[_user(user) for user in page.items],
            total=page.total,
            limit=limit,
            offset=offset,
        )

    @routes.get("/me", responses=responses(401, 403, 404))
    def read_me(asker: Asker) -> UserBody:
        """The user whose credential this is."""
        return _user(accounts.me(asker))

    @routes.get("/{user_id:int}", responses=responses(401, 403, 404, 422))
    def read_user(asker: Asker, user_id: PathId) -> UserBody:
        """One user: oneself, or for administrators any."""
        return _user(accounts.get(asker, user_id))

    @routes.patch("/{user_id:int}", responses=responses(400, 401, 403, 404, 409, 413, 422, 429))
    def change_user(body: UserChange, request: Request, asker: Asker, user_id: PathId) -> UserBody:
        """Change a user. A new password signs out every session, access tokens included."""
        changes = body.model_dump(exclude_unset=True)
        user = accounts.update(asker, user_id, address=address_of(request), **changes)
        return _user(user)

    @routes.delete(
        "/{user_id:int}", status_code=204, responses=responses(401, 403, 404, 409, 422, 507)
    )
    def delete_user(
        asker: Asker,
        user_id: PathId,
        devices: Annotated[
            Literal["delete"] | None,
            Query(description="Also delete the user's devices with their readings."),
        ] = None,
        devices_to: Annotated[
            Id | None, Query(description="Hand the devices to this user; administrators only.")
        ] = None,
    ) -> None:
        """Remove a user. One with devices: say what shall become of them."""
        accounts.delete(asker, user_id, delete_devices=devices == "delete", devices_to=devices_to)

    return joined(_tokens(core), routes)


def _tokens(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/users/me/tokens", tags=["users", "tokens"])
    tokens = core.accounts.tokens

    @routes.get("", responses=responses(401, 403, 404))
    def list_tokens(asker: Asker) -> TokenList:
        """One's own API tokens."""
        mine = tokens.list(asker, _user_id(asker))
        return TokenList(items=[token_body(token) for token in mine])

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 404, 409, 413, 422))
    def create_token(body: NewToken, asker: Asker) -> CreatedToken:
        """A new API token."""
        token, text = tokens.create(asker, _user_id(asker), body.name, **token_options(core, body))
        return CreatedToken(**token_body(token).model_dump(), token=text)

    @routes.delete("/{token_id:int}", status_code=204, responses=responses(401, 403, 404, 422))
    def revoke_token(asker: Asker, token_id: PathId) -> None:
        """Refuse an API token from now on."""
        tokens.revoke(asker, _user_id(asker), token_id)

    def _user_id(asker: Principal) -> int:
        return core.accounts.me(asker).id

    return routes


def _user(user: User) -> UserBody:
    return UserBody(
        id=user.id,
        username=user.username,
        email=user.email,
        role=user.role,
        created_time=format_time(user.created_time),
    )


def token_options(core: Core, body: NewToken) -> dict[str, Any]:
    """What `ApiTokens.create` takes besides the name."""
    expires = None if body.expires_in is None else core.clock() + body.expires_in * SECOND
    return {"reads_only": body.scope == "read", "expires_time": expires}


def token_body(token: Token) -> TokenBody:
    """The token as the API shows it."""
    return TokenBody(
        id=token.id,
        name=token.name,
        scope="read" if token.reads_only else "full",
        expires_time=time_text(token.expires_time),
        created_time=format_time(token.created_time),
        last_used_time=time_text(token.last_used_time),
    )
