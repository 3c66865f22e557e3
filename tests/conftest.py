"""Real parts for tests: a catalog in SQLite, readings in memory, and the services on them."""

import shutil
from types import SimpleNamespace

import pytest

from barograph.domain.limits import Limits
from barograph.services.access_tokens import AccessTokens
from barograph.services.accounts import Accounts
from barograph.services.assets import AssetService
from barograph.services.devices import DeviceService
from barograph.services.latest import Latest
from barograph.services.passwords import Passwords
from barograph.services.registry import Registry
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.readings.memory import MemoryReadingStore


class SetClock:
    """A clock that stands still until a test sets it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return SetClock(1_760_000_000_000_000)


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "data.db"
    SqlCatalog(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def catalog(empty_catalog, tmp_path):
    path = tmp_path / "data.db"
    shutil.copyfile(empty_catalog, path)
    catalog = SqlCatalog(f"sqlite:///{path}")
    yield catalog
    catalog.close()


@pytest.fixture(scope="session")
def cheap_passwords():
    """Argon2id at its cheapest, which says as much about behaviour as at its dearest."""
    return Passwords(Limits(), memory_kib=64, passes=1)


@pytest.fixture
def parts(catalog, clock, cheap_passwords):
    """The services of accounts, devices and assets, and what they stand on."""
    limits, store, registry = Limits(), MemoryReadingStore(), Registry(catalog)
    devices = DeviceService(catalog, registry, store, clock, limits)
    access_tokens = AccessTokens(catalog.secrets, clock)
    return SimpleNamespace(
        catalog=catalog,
        registry=registry,
        store=store,
        latest=Latest(store),
        clock=clock,
        limits=limits,
        passwords=cheap_passwords,
        access_tokens=access_tokens,
        devices=devices,
        assets=AssetService(catalog, registry, clock, limits),
        accounts=Accounts(
            catalog, registry, devices, cheap_passwords, access_tokens, clock, limits
        ),
    )
