"""Users, tokens, and who may do what."""

from dataclasses import dataclass
from typing import Literal

from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, NotFound

Role = Literal["admin", "member", "viewer"]


@dataclass(frozen=True, slots=True)
class User:
    """A person or program that owns devices. `username` is unique without regard to case."""

    id: int
    username: str
    email: str | None = None
    role: Role = "member"
    created_time: int = 0
    password_hash: str | None = None
    """Argon2id, or None for a user that signs in by token only."""


@dataclass(frozen=True, slots=True)
class Token:
    """A credential of a user (an API token) or of a device. Only its SHA-256 is kept."""

    id: int
    digest: bytes
    user_id: int | None = None
    device_id: int | None = None
    name: str = ""
    created_time: int = 0
    last_used_time: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking.

    The local operator (a request from this machine where that is enough) has every right and is
    nobody in particular: what it creates without naming an owner belongs to nobody.
    """

    kind: Literal["operator", "user", "device"]
    user_id: int | None = None
    device_id: int | None = None
    role: Role = "member"

    @property
    def is_admin(self) -> bool:
        """Whether every object is this principal's to see and change."""
        return self.kind == "operator" or (self.kind == "user" and self.role == "admin")


OPERATOR = Principal("operator", role="admin")


def require_device(principal: Principal, device: Device | None, *, write: bool = False) -> Device:
    """`device` if `principal` may read (or `write`) its readings.

    Raises `NotFound` for no device or another user's, `Forbidden` where the caller may see the
    device but not write to it, or a device asks for any but itself.
    """
    if principal.kind == "device" and (device is None or principal.device_id != device.id):
        raise Forbidden("a device's token reads and writes its own device only")
    if device is not None:
        if principal.is_admin or principal.kind == "device":
            return device
        if principal.user_id is not None and principal.user_id == device.user_id:
            if write and principal.role == "viewer":
                raise Forbidden("a viewer reads only")
            return device
    raise NotFound("there is no such device")


def require_user(principal: Principal, user_id: int) -> None:
    """Let `principal` see what belongs to the user; raises `Forbidden` or `NotFound`."""
    if principal.is_admin or (principal.kind == "user" and principal.user_id == user_id):
        return
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
    raise NotFound("there is no such user")


def require_member(principal: Principal) -> None:
    """Let users and the operator create things; raises `Forbidden` for devices and viewers."""
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
    if principal.role == "viewer":
        raise Forbidden("a viewer reads only")


def require_admin(principal: Principal) -> None:
    """Raises `Forbidden` unless `principal` is an administrator or the operator."""
    if not principal.is_admin:
        raise Forbidden("this needs an administrator")
