"""What administrators ask for: backups, and the API tokens of other users."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from barograph.services.backups import Backups
from barograph.services.core import Core
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import PathId, Time
from barograph.transport.http.users import (
    Asker,
    CreatedToken,
    NewToken,
    TokenList,
    token_body,
    token_options,
)


class BackupBody(BaseModel):
    """A finished backup."""

    path: str = Field(description="The directory where it is, on the server's machine.")
    created_time: Time
    size_bytes: int
    left_out: list[str] = Field(
        description="What is not in it, for it lies on a database server, and what copies that."
    )


def router(core: Core, backups: Backups) -> APIRouter:
    """`/api/backups` and `/api/users/{user_id}/tokens`."""
    routes = APIRouter()
    tokens = core.accounts.tokens

    @routes.post(
        "/api/backups",
        status_code=201,
        tags=["backups"],
        responses=responses(401, 403, 409, 507),
    )
    def create_backup(asker: Asker) -> BackupBody:
        """Copy all that is kept to a new directory, beside running writes; for administrators."""
        made = backups.create(asker)
        return BackupBody(
            path=str(made.path),
            created_time=made.manifest.created_time,
            size_bytes=made.manifest.size,
            left_out=made.manifest.left_out,
        )

    @routes.get(
        "/api/users/{user_id:int}/tokens",
        tags=["tokens"],
        responses=responses(401, 403, 404, 422),
    )
    def list_user_tokens(asker: Asker, user_id: PathId) -> TokenList:
        """A user's API tokens."""
        user = core.accounts.get(asker, user_id)
        return TokenList(items=[token_body(token) for token in tokens.list(asker, user.id)])

    @routes.post(
        "/api/users/{user_id:int}/tokens",
        status_code=201,
        tags=["tokens"],
        responses=responses(400, 401, 403, 404, 409, 413, 422),
    )
    def create_user_token(body: NewToken, asker: Asker, user_id: PathId) -> CreatedToken:
        """A new API token for a user."""
        user = core.accounts.get(asker, user_id)
        token, text = tokens.create(asker, user.id, body.name, **token_options(core, body))
        return CreatedToken(**token_body(token).model_dump(), token=text)

    @routes.delete(
        "/api/users/{user_id:int}/tokens/{token_id:int}",
        status_code=204,
        tags=["tokens"],
        responses=responses(401, 403, 404, 422),
    )
    def revoke_user_token(asker: Asker, user_id: PathId, token_id: PathId) -> None:
        """Refuse an API token from now on."""
        tokens.revoke(asker, core.accounts.get(asker, user_id).id, token_id)

    return routes
