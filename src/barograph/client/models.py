"""What a server's answers say, as Python objects. Times are aware datetimes in UTC."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

Value = float | str
"""A reading's value as a server gives it; booleans are kept as 1.0 and 0.0."""
Role = Literal["admin", "member", "viewer"]
Status = Literal["queued", "running", "done", "failed", "cancelled"]
CommandStatus = Literal["queued", "delivered", "answered", "expired", "cancelled"]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or program that owns devices."""

    id: int
    username: str
    email: str | None = None
    role: Role = "member"
    created_time: datetime


class RegisteredUser(User, frozen=True, kw_only=True):
    """A new user, with its first API token, which is shown this once."""

    token: str


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in gives."""

    access_token: str
    """Send it as a token; it lasts `expires_in` seconds."""
    expires_in: int
    refresh_token: str
    """Gives new credentials, once, by `refresh`."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token, without its text."""

    id: int
    name: str
    created_time: datetime
    last_used_time: datetime | None = None


class CreatedToken(Token, frozen=True, kw_only=True):
    """A new API token, with its text, which is shown this once."""

    token: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a device was told, and what became of it."""

    id: int
    command: Any
    status: CommandStatus
    created_time: datetime
    expires_time: datetime
    """From then on it is not delivered any more."""
    delivered_time: datetime | None = None
    answered_time: datetime | None = None
    cancelled_time: datetime | None = None
    reply: Any = None
    """What the device answered: JSON, or a text."""

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.status in {"answered", "expired", "cancelled"}


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that sends readings."""

    id: int
    key: str
    name: str
    user_id: int | None = None
    asset_id: int | None = None
    attributes: dict[str, Any] = {}
    round_time: float | None = None
    """Seconds to whose multiples the times of its readings are rounded down."""
    created_time: datetime
    last_seen: datetime | None = None


class RegisteredDevice(Device, frozen=True, kw_only=True):
    """A new device, with its token, which is shown this once."""

    token: str


class DeviceToken(msgspec.Struct, frozen=True):
    """A device's new token, shown this once."""

    token: str


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Something that devices are fitted to."""

    id: int
    kind: str
    name: str
    attributes: dict[str, Any] = {}
    created_time: datetime
    devices: list[Device] = []
    """Told where one asset is asked for, and not in lists."""


class LatestValue(msgspec.Struct, frozen=True):
    """The newest reading of a metric."""

    value: Value
    ts: datetime


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest readings of a device, by metric."""

    device_id: int
    key: str
    name: str
    metrics: dict[str, LatestValue]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Work that was asked for."""

    id: int
    kind: str
    status: Status
    progress: float
    """How much of it is done, 0 to 1."""
    question: dict[str, Any] = {}
    error: str | None = None
    created_time: datetime
    started_time: datetime | None = None
    ended_time: datetime | None = None
    result: Any = None
    """The answer, once `status` is `done`; of a summary see `Summary.of`."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in {"done", "failed", "cancelled"}


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that a server has made."""

    path: str
    """Where it is, on the server's machine."""
    created_time: datetime
    size_bytes: int
    left_out: list[str] = []
    """What is not in it, and what copies that."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list, and how many there are in all."""

    items: list[T]
    total: int


class LiveReading(msgspec.Struct, frozen=True):
    """A reading that was committed just now."""

    device_id: int
    device: str
    """The device's key."""
    metric: str
    ts: datetime
    value: Value


class Gap(msgspec.Struct, frozen=True):
    """Readings that were not told live, because the reader was slow or away for too long."""

    missed: int | None
    """How many; None where nobody knows."""
