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
    expires_time: int | None = None
    """From then on it is refused; None: never."""
    reads_only: bool = False


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
    token_reads_only: bool = False
    """Whether the credential lets its user read and no more."""

    @property
    def is_admin(self) -> bool:
        """Whether every object is this principal's to see, and but for the next, to change."""
        return self.kind == "operator" or (self.kind == "user" and self.role == "admin")

    @property
    def reads_only(self) -> bool:
        """Whether this principal changes nothing that others see."""
        return self.role == "viewer" or self.token_reads_only


OPERATOR = Principal("operator", role="admin")


def require_device(principal: Principal, device: Device | None, *, write: bool = False) -> Device:
    """`device` if `principal` may read (or `write`) its readings.

    Raises `NotFound` for no device or another user's, `Forbidden` where the caller may see the
    device but not write to it, or a device asks for any but itself.
    """
    if principal.kind == "device" and (device is None or principal.device_id != device.id):
        raise Forbidden("a device's token reads and writes its own device only")
    if device is not None:
        if principal.kind == "device":
            return device
        mine = principal.is_admin or _owns(principal, device)
        if mine or principal.user_id in device.shared:
            if write and principal.reads_only:
                raise Forbidden(_reads_only(principal))
            if write and not mine and not device.shared[principal.user_id or 0]:
                raise Forbidden("this device is shared with you to read, not to write")
            return device
    raise NotFound("there is no such device")


def require_owner(principal: Principal, device: Device | None) -> Device:
    """`device` if `principal` may change it: its owner or an administrator.

    Raises `Forbidden` for who may read it, or write its readings, and no more; else as
    `require_device` does.
    """
    found = require_device(principal, device, write=principal.reads_only)
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes readings only")
    if not principal.is_admin and not _owns(principal, found):
        raise Forbidden("this device is shared with you: changing it is its owner's to do")
    return found


def _owns(principal: Principal, device: Device) -> bool:
    return principal.user_id is not None and principal.user_id == device.user_id


def _reads_only(principal: Principal) -> str:
    if principal.token_reads_only:
        return "this token reads only: use one that may write"
    return "a viewer reads only"


def require_user(principal: Principal, user_id: int, *, write: bool = False) -> None:
    """Let `principal` see (or change) what is the user's own; raises `Forbidden`, `NotFound`."""
    if principal.is_admin or (principal.kind == "user" and principal.user_id == user_id):
        if write and principal.token_reads_only:
            raise Forbidden(_reads_only(principal))
        return
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
    raise NotFound("there is no such user")


def require_writing_token(principal: Principal) -> None:
    """Raises `Forbidden` where the credential lets its user read and no more."""
    if principal.token_reads_only:
        raise Forbidden(_reads_only(principal))


def require_member(principal: Principal) -> None:
    """Let users and the operator create things; raises `Forbidden` for devices and viewers."""
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
    if principal.reads_only:
        raise Forbidden(_reads_only(principal))


def require_admin(principal: Principal, *, write: bool = False) -> None:
    """Raises `Forbidden` unless `principal` is an administrator or the operator.

    To `write`, the credential must not be one that reads only.
    """
    if not principal.is_admin:
        raise Forbidden("this needs an administrator")
    if write and principal.token_reads_only:
        raise Forbidden(_reads_only(principal))
