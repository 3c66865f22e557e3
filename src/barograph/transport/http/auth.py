"""`/auth`: signing in and out; `/setup`: the first administrator."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from barograph.services.accounts import SignedIn
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import Email
from barograph.transport.http.systems.bodies import body_reader, body_schema, read_model
from barograph.transport.http.users import Password, Username, address_of

GivenToken = Annotated[str, Field(max_length=128)]


class SignIn(BaseModel):
    """A username, or an e-mail address, and its password."""

    username: Annotated[str, Field(max_length=256)]
    password: Annotated[str, Field(max_length=4096, json_schema_extra={"format": "password"})]


class RefreshToken(BaseModel):
    """What a sign-in or the last refresh gave."""

    refresh_token: GivenToken


class Credentials(BaseModel):
    """What is sent with later requests, and what it is renewed with."""

    access_token: str = Field(description="A JWT, for the header `Authorization: Bearer …`.")
    token_type: Literal["Bearer"] = Field(default="Bearer")
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str = Field(description="Gives new credentials, once, at `/auth/refresh`.")


class FirstAdministrator(BaseModel):
    """Who becomes the first administrator, and the secret of the set-up link."""

    model_config = ConfigDict(extra="forbid")

    token: GivenToken
    username: Username
    password: Password
    email: Email | None = None


class Claimed(BaseModel):
    """The new administrator."""

    id: int
    username: str


def router(core: Core) -> APIRouter:
    """The routes `/auth`, `/auth/refresh`, `/auth/sign-out` and `/setup`."""
    routes = APIRouter(tags=["sign-in"])
    accounts = core.accounts

    @routes.post(
        "/auth",
        responses=responses(400, 401, 413, 422, 429),
        openapi_extra=body_schema(SignIn),
    )
    def sign_in(
        request: Request, body: Annotated[bytes, Depends(body_reader(core.limits))]
    ) -> Credentials:
        """Sign in."""
        # The car dealer's clients send JSON under any content type.
        given = read_model(SignIn, body, core.limits)
        return _credentials(accounts.sign_in(given.username, given.password, address_of(request)))

    @routes.post("/auth/refresh", responses=responses(400, 401, 413, 422))
    def refresh(body: RefreshToken) -> Credentials:
        """Renew the credentials. The refresh token given stops working."""
        return _credentials(accounts.refresh(body.refresh_token))

    @routes.post("/auth/sign-out", status_code=204, responses=responses(400, 413, 422))
    def sign_out(body: RefreshToken) -> None:
        """End the session. Its access token expires by itself."""
        accounts.sign_out(body.refresh_token)

    @routes.post("/api/setup", status_code=201, responses=responses(400, 403, 409, 413, 422))
    def set_up(body: FirstAdministrator) -> Claimed:
        """Make the first administrator, with the link that the first start printed."""
        user = accounts.claim_setup(body.token, body.username, body.password, body.email)
        return Claimed(id=user.id, username=user.username)

    return routes


def _credentials(given: SignedIn) -> Credentials:
    return Credentials(
        access_token=given.access_token,
        expires_in=given.expires_in,
        refresh_token=given.refresh_token,
    )
