"""Where users, devices, tokens, series, assets and all else but readings are kept.

Each method is one transaction, durable when it returns. Uniqueness is the catalog's to hold: it
raises `Conflict`, whose message names what is taken. `get` and `find` return None for what is not
there; changing or removing what is not there raises `NotFound`. All are thread-safe, and raise
`Unavailable`, never a driver's own error, while the database is away.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from barograph.domain.asset import Asset
from barograph.domain.audit import AuditEntry
from barograph.domain.command import Command
from barograph.domain.dashboard import Dashboard, DashboardLink, SavedQuestion
from barograph.domain.device import Device, Series
from barograph.domain.metric import MetricSettings
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.refusal import Refusal
from barograph.domain.sharing import Share
from barograph.domain.user import Role, Token, User
from barograph.ports.page import Page
from barograph.ports.processes import Changes, PresenceFeed, Relay, Tries, Turns
from barograph.ports.work import Jobs, Reports, Schedules


class Users(Protocol):
    """The users."""

    def create(
        self,
        username: str,
        email: str | None,
        password_hash: str | None,
        role: Role,
        time: int,
        token: Token | None = None,
    ) -> User:
        """A new user, and a token (whose `id` and `user_id` are ignored) in the same transaction.

        `username` and `email` are unique without regard to case.
        """

    def get(self, user_id: int) -> User | None: ...
    def find(self, username: str) -> User | None:
        """By username or, failing that, e-mail address, without regard to case."""

    def list(self, *, search: str = "", limit: int, offset: int = 0) -> Page[User]: ...
    def update(self, user_id: int, changes: Mapping[str, Any]) -> User:
        """Set the named fields of `User`."""

    def delete(self, user_id: int) -> None:
        """Remove the user and its tokens. Devices must be gone or handed over before: `Conflict`."""

    def any_admin(self) -> bool:
        """Whether there is an administrator."""


class Devices(Protocol):
    """The devices."""

    def create(
        self,
        key: str | None,
        name: str,
        user_id: int | None,
        asset_id: int | None,
        attributes: Mapping[str, Any],
        time: int,
        token_digest: bytes | None = None,
    ) -> Device:
        """A new device, and its token in the same transaction.

        Without a key it gets one made of its id (`device-7`, or the next such that is free).
        Raises `Conflict` for a taken key, `InvalidInput` for an unknown user or asset.
        """

    def get(self, device_id: int) -> Device | None: ...
    def find(self, key: str) -> Device | None: ...
    def list(
        self,
        *,
        user_id: int | None = None,
        visible_to: int | None = None,
        asset_id: int | None = None,
        search: str = "",
        limit: int,
        offset: int = 0,
    ) -> Page[Device]:
        """Those of a user, of an asset, whose name or key contains `search` without case.

        `visible_to` a user are the user's own and those that are shared with the user.
        """

    def all(self) -> Iterator[Device]:
        """Every device, streamed in order of id, for building maps."""

    def update(self, device_id: int, changes: Mapping[str, Any]) -> Device:
        """Set the named fields of `Device`."""

    def delete(self, device_id: int) -> None:
        """Remove the device, its tokens and its series (whose ids are not used again)."""


class Tokens(Protocol):
    """The credentials."""

    def create(self, token: Token) -> Token:
        """Keep a new token (`token.id` is ignored)."""

    def rotate_device(self, device_id: int, digest: bytes, time: int) -> Token:
        """Replace every token of the device by one new one, in one transaction."""

    def find(self, digest: bytes) -> Token | None: ...
    def of_user(self, user_id: int) -> Sequence[Token]: ...
    def of_device(self, device_id: int) -> Sequence[Token]: ...
    def all(self) -> Iterator[Token]:
        """Every token, for building maps."""

    def revoke(self, token_id: int) -> None: ...
    def touch(self, used: Mapping[int, int]) -> None:
        """Note when tokens were last used (token id to time); unknown ids are ignored."""


class SeriesIndex(Protocol):
    """Which series stands for which metric of which device."""

    def ensure(self, device_id: int, metrics: Sequence[str]) -> Sequence[Series]:
        """The series of these metrics in the same order, made where missing; `NotFound` device."""

    def of_device(self, device_id: int) -> Sequence[Series]: ...
    def all(self) -> Iterator[Series]:
        """Every series, streamed in order of id, for building maps."""

    def reserve(self, through: int) -> int:
        """Give new series ids above `through` only; the last id given before, 0 for none."""

    def set_settings(self, settings: Mapping[int, MetricSettings]) -> None:
        """How series (by id) are shown from now on; `NotFound` for one that is not there."""

    def settings(self, device_id: int | None = None) -> Mapping[int, MetricSettings]:
        """How those series (by id) are shown for which anything was set; one device's or all."""


class Assets(Protocol):
    """The inventory."""

    def create(self, kind: str, name: str, attributes: Mapping[str, Any], time: int) -> Asset: ...
    def get(self, asset_id: int) -> Asset | None: ...
    def find(self, kind: str, name: str) -> Asset | None: ...
    def list(
        self, *, kind: str | None = None, search: str = "", limit: int, offset: int = 0
    ) -> Page[Asset]: ...
    def kinds(self) -> Mapping[str, int]:
        """How many assets there are of each kind, in order of kind."""

    def update(self, asset_id: int, changes: Mapping[str, Any]) -> Asset: ...
    def delete(self, asset_id: int) -> None:
        """Remove the asset; devices fitted to it stay, fitted to nothing."""


class Secrets(Protocol):
    """Small values that the installation keeps, such as the key that signs its JWTs."""

    def get_or_create(self, name: str, value: bytes) -> bytes:
        """The stored value; `value` is stored if there is none yet. One wins, all agree."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, value: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


class Sessions(Protocol):
    """Refresh tokens: one row per sign-in, rotated at each use."""

    def create(self, user_id: int, digest: bytes, expires: int, time: int) -> None: ...
    def rotate(self, digest: bytes, new_digest: bytes, expires: int, time: int) -> int | None:
        """The user id, when `digest` is current and unexpired, which `new_digest` now replaces.

        A digest that was replaced before is a stolen one: its whole session is ended. None then
        and for an unknown one.
        """

    def end(self, digest: bytes) -> None:
        """Sign out; an unknown digest is ignored."""

    def end_all(self, user_id: int) -> None: ...


class Shares(Protocol):
    """Which users see what is another's. Shares end with what is shared and with the user."""

    def put(self, share: Share, most: int) -> None:
        """Share, or set anew how. Raises `Conflict` beyond `most` users."""

    def remove(self, subject_id: int, user_id: int) -> None: ...
    def of_subject(self, subject_id: int) -> Sequence[Share]: ...
    def of_user(self, user_id: int) -> Sequence[Share]: ...
    def all(self) -> Iterator[Share]:
        """Every share, for building maps."""


class AuditLog(Protocol):
    """Who did what."""

    def add(self, entry: AuditEntry) -> None:
        """Keep a new entry (`entry.id` is ignored)."""

    def along(self, tell: Callable[[Any], AuditEntry]) -> AbstractContextManager[None]:
        """Keep an entry in the same transaction as the first change that this thread makes within.

        `tell` makes the entry of what the change returns. It stands with the change or falls with
        it; where nothing is changed (the change returns False), nothing is kept.
        """

    def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        search: str = "",
        period: Period = ALL_TIME,
        limit: int,
        offset: int = 0,
    ) -> Page[AuditEntry]:
        """The newest first, of an actor, of actions on one kind of thing (`device`).

        `search` is a part of the name of what was acted upon, without case.
        """

    def expire(self, before: int) -> int:
        """Remove the entries from earlier than `before`; how many."""


class Commands(Protocol):
    """What devices are told."""

    def create(
        self, device_id: int, command: Any, time: int, expires_time: int, most: int
    ) -> Command:
        """A new command. Raises `Conflict` where `most` wait for the device already."""

    def get(self, command_id: int) -> Command | None: ...
    def list(self, device_id: int, *, limit: int, offset: int = 0) -> Page[Command]:
        """The newest first."""

    def waiting(self, now: int) -> Sequence[Command]:
        """Those not delivered, not expired and not called off, the oldest first."""

    def deliver(self, command_id: int, time: int) -> None:
        """Note that the device has it; what is not there, or delivered before, is left."""

    def cancel(self, command_id: int, time: int) -> bool:
        """Note that it is called off, if it is still waiting; whether it was."""

    def answer(self, command_id: int, device_id: int, reply: Any, time: int) -> Command:
        """Note what the device answered; the last answer counts. `NotFound` if none of its."""

    def expire(self, before: int) -> int:
        """Remove the commands made earlier than `before`; how many."""


class RefusedMessages(Protocol):
    """The last messages of devices that could not be read."""

    def keep(self, refused: Sequence[Refusal], most: int) -> None:
        """Store them, and of each device only the newest `most`; nothing of a device that is gone."""

    def of(self, device_id: int, limit: int) -> Sequence[Refusal]:
        """The newest first."""

    def expire(self, before: int) -> int:
        """Remove those earlier than `before`; how many."""


class Dashboards(Protocol):
    """The dashboards, and the links to them."""

    def create(self, dashboard: Dashboard, most: int) -> Dashboard:
        """Keep a new one (`id` and `revision` are ignored); `Conflict` beyond `most` of its user."""

    def get(self, dashboard_id: int) -> Dashboard | None: ...
    def visible_to(self, user_id: int | None) -> Sequence[Dashboard]:
        """The user's own and those shared with the user, in order of name; None: all."""

    def update(
        self,
        dashboard_id: int,
        name: str,
        panels: Sequence[Mapping[str, Any]],
        revision: int,
        time: int,
    ) -> Dashboard:
        """Set name and panels; `Conflict` unless `revision` is the one that is stored."""

    def delete(self, dashboard_id: int) -> None:
        """Remove it, its shares and its links."""

    def add_link(self, link: DashboardLink, most: int) -> DashboardLink:
        """Keep a new one (`link.id` is ignored); `Conflict` beyond `most` of the dashboard."""

    def links(self, dashboard_id: int) -> Sequence[DashboardLink]: ...
    def find_link(self, digest: bytes) -> DashboardLink | None: ...
    def remove_link(self, dashboard_id: int, link_id: int) -> None: ...


class SavedQuestions(Protocol):
    """Questions under a name."""

    def create(self, saved: SavedQuestion, most: int) -> SavedQuestion:
        """Keep a new one (`saved.id` is ignored); `Conflict` beyond `most` of its user."""

    def get(self, question_id: int) -> SavedQuestion | None: ...
    def of_user(self, user_id: int | None) -> Sequence[SavedQuestion]:
        """In order of id; for None those of the local operator."""

    def delete(self, question_id: int) -> None: ...


class Catalog(Protocol):
    """All of it."""

    users: Users
    devices: Devices
    tokens: Tokens
    series: SeriesIndex
    assets: Assets
    jobs: Jobs
    schedules: Schedules
    reports: Reports
    secrets: Secrets
    sessions: Sessions
    device_shares: Shares
    audit: AuditLog
    commands: Commands
    refused: RefusedMessages
    dashboards: Dashboards
    dashboard_shares: Shares
    questions: SavedQuestions

    changes: Changes
    turns: Turns
    presences: PresenceFeed
    tries: Tries

    def relay(self, keep: int) -> Relay:
        """Passes on committed readings, of which at least the last `keep` are kept."""

    def check(self) -> None:
        """Raise `Unavailable` unless the catalog answers now."""

    def backup(self, target: Path) -> None:
        """Write a consistent copy to the new file `target`; SQLite only, else `Unavailable`."""

    def close(self) -> None: ...
