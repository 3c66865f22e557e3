"""What depends on whether other processes use the same stores."""

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b

from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.ports.clock import Clock
from barograph.ports.live_bus import LiveBus
from barograph.ports.processes import Tries
from barograph.ports.reading_store import ReadingStore
from barograph.services.following import Follower
from barograph.services.housekeeping import Chore
from barograph.services.latest import Latest, SharedLatest
from barograph.services.live import InProcessLiveBus
from barograph.services.presence import SharedPresences
from barograph.services.rate_limit import MemoryTries
from barograph.services.registry import Registry
from barograph.services.relayed_live import RelayedLiveBus
from barograph.services.turn import Turn
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.transport.http.siblings import Siblings

_CHANGES_KEPT = 10_000
_RELAYED_KEPT = 3
"""How many times more relayed readings the database keeps than each process: for those behind."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of several processes on one port this is."""

    number: int
    operator_token: str
    """The same in all."""
    siblings: Siblings | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """What one process and several do in different ways."""

    registry: Registry
    latest: Latest
    live: LiveBus
    tries: Tries | None = None
    my_turn: Callable[[], bool] = lambda: True
    degradations: list[Callable[[], str | None]] = field(default_factory=list)
    chores: list[Chore] = field(default_factory=list)
    presence: SharedPresences | None = None
    """None where one process knows it all."""


def is_shared(settings: Settings) -> bool:
    """Whether other processes may write to the stores."""
    return bool(settings.readings_url) and (settings.workers > 1 or bool(settings.redis_url))


def check_processes(settings: Settings) -> None:
    """Raise `ConfigurationError` where the stores cannot be used by so many processes."""
    if settings.celery_broker and not settings.readings_url:
        raise ConfigurationError(
            "celery_broker is set, but the readings are in DuckDB, which one process only can use: "
            "set readings_url to postgresql://… or mysql://…, or leave celery_broker empty to run "
            "jobs in the server"
        )
    if settings.workers == 1:
        return
    if not settings.readings_url:
        raise ConfigurationError(
            f"workers is {settings.workers}, but the readings are in DuckDB, which one process only "
            "can use: set readings_url (and database_url) to postgresql://… or mysql://…, or workers "
            "to 1"
        )
    for name in ("readings_url", "database_url"):
        url = getattr(settings, name)
        if not url or url.startswith("sqlite"):
            raise ConfigurationError(
                f"workers is {settings.workers}, which needs a database server: set {name} to "
                "postgresql://… or mysql://…, or workers to 1"
            )


def between_processes(
    settings: Settings,
    catalog: SqlCatalog,
    store: ReadingStore,
    clock: Clock,
    opened: ExitStack,
) -> Between:
    """The parts that the settings ask for, started; `opened` is to end them."""
    most = settings.bounds().live_backlog_events_max
    if not is_shared(settings):
        return Between(Registry(catalog), Latest(store), InProcessLiveBus(most))
    registry = Registry(catalog, follows=True)
    latest = SharedLatest(store)
    relay, tries = catalog.relay(_RELAYED_KEPT * most), catalog.tries
    degradations: list[Callable[[], str | None]] = []
    if settings.redis_url:
        from barograph.stores.redis.relay import RedisRelay  # noqa: PLC0415  # an extra
        from barograph.stores.redis.tries import RedisTries  # noqa: PLC0415  # as above

        name = installation(catalog)
        redis = RedisRelay(settings.redis_url, name, clock, most)
        opened.callback(redis.close)
        counted = RedisTries(settings.redis_url, name, MemoryTries())
        opened.callback(counted.close)
        relay, tries = redis, counted
        degradations.append(counted.problem)
    live = RelayedLiveBus(relay, most, registry.catch_up)
    live.subscribe(lambda _, batch: latest.update(batch))
    live.start()
    opened.callback(live.close)
    follower = Follower(registry)
    follower.start()
    opened.callback(follower.close)
    turn = Turn(catalog.turns, "housekeeping", clock)
    opened.callback(turn.end)

    def refresh() -> bool:
        latest.refresh()
        return False

    def expire_changes() -> bool:
        catalog.changes.expire(_CHANGES_KEPT)
        return False

    chores = [
        Chore("comparison of the newest values", refresh, 60.0, everywhere=True),
        Chore("removal of old changes", expire_changes, 600.0),
    ]
    presence = SharedPresences(clock, catalog.presences, _server_name(settings))
    chores.append(Chore("who is connected", presence.exchange, 0.5, everywhere=True))
    return Between(registry, latest, live, tries, turn, degradations, chores, presence)


def _server_name(settings: Settings) -> str:
    """What the processes on one port have in common, and those of other machines do not."""
    place = f"{socket.gethostname()}:{settings.data_dir.absolute()}"
    return blake2b(place.encode(), digest_size=16).hexdigest()


def installation(catalog: SqlCatalog) -> str:
    """A name that keeps this installation apart from others on the same Redis or RabbitMQ."""
    return catalog.secrets.get_or_create("installation", os.urandom(6).hex().encode()).decode()
