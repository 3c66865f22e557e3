"""Calls about users, their tokens, and signing in."""

import msgspec

from barograph.client.call import Call, get, json_of, nothing, send
from barograph.client.models import (
    CreatedToken,
    Credentials,
    Page,
    RegisteredUser,
    Role,
    Token,
    User,
)


class _Tokens(msgspec.Struct):
    items: list[Token]


def create_user(
    username: str, email: str, password: str | None = None, *, role: Role = "member"
) -> Call[RegisteredUser]:
    """Register a user. Without a password it acts by token only."""
    body = {"username": username, "email": email, "role": role}
    if password is not None:
        body["password"] = password
    return send("POST", "/api/users", json_of(RegisteredUser), body)


def list_users(search: str = "", *, limit: int = 100, offset: int = 0) -> Call[Page[User]]:
    """Some of all users, in order of id; for administrators."""
    read = msgspec.json.Decoder(Page[User]).decode
    return get("/api/users", read, search=search, limit=limit, offset=offset)


def me() -> Call[User]:
    """The user whose token this client has."""
    return get("/api/users/me", json_of(User))


def get_user(user_id: int) -> Call[User]:
    """One user."""
    return get(f"/api/users/{user_id}", json_of(User))


def change_user(
    user_id: int,
    *,
    username: str | None = None,
    email: str | None = None,
    password: str | None = None,
    old_password: str | None = None,
    role: Role | None = None,
) -> Call[User]:
    """Change what is given. Who is no administrator gives the old password for a new one."""
    given = {
        "username": username,
        "email": email,
        "password": password,
        "old_password": old_password,
        "role": role,
    }
    body = {name: value for name, value in given.items() if value is not None}
    # Sent again, the old password would be wrong already.
    again = old_password is None
    return send("PATCH", f"/api/users/{user_id}", json_of(User), body, idempotent=again)


def delete_user(
    user_id: int, *, delete_devices: bool = False, devices_to: int | None = None
) -> Call[None]:
    """Remove a user, and its devices with their readings, or hand these to another user."""
    query: dict[str, str | int] = {}
    if delete_devices:
        query["devices"] = "delete"
    if devices_to is not None:
        query["devices_to"] = devices_to
    return Call("DELETE", f"/api/users/{user_id}", nothing, query=query)


def sign_in(username: str, password: str) -> Call[Credentials]:
    """Credentials for a username, or an e-mail address, and its password."""
    return send("POST", "/auth", json_of(Credentials), {"username": username, "password": password})


def refresh(refresh_token: str) -> Call[Credentials]:
    """New credentials for a refresh token, which works once."""
    return send("POST", "/auth/refresh", json_of(Credentials), {"refresh_token": refresh_token})


def sign_out(refresh_token: str) -> Call[None]:
    """End a session."""
    body = {"refresh_token": refresh_token}
    return send("POST", "/auth/sign-out", nothing, body, idempotent=True)


def list_tokens(user_id: int | None = None) -> Call[list[Token]]:
    """The API tokens of who asks; of another user for administrators."""

    def read(body: bytes) -> list[Token]:
        return msgspec.json.decode(body, type=_Tokens).items

    return get(_tokens_of(user_id), read)


def create_token(name: str, user_id: int | None = None) -> Call[CreatedToken]:
    """A new API token for who asks; for another user by administrators."""
    return send("POST", _tokens_of(user_id), json_of(CreatedToken), {"name": name})


def revoke_token(token_id: int, user_id: int | None = None) -> Call[None]:
    """Have an API token refused from now on."""
    return Call("DELETE", f"{_tokens_of(user_id)}/{token_id}", nothing)


def _tokens_of(user_id: int | None) -> str:
    return f"/api/users/{'me' if user_id is None else user_id}/tokens"
