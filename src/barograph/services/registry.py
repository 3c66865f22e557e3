"""Who may send and which series a metric is, answered from memory.

Every reading that arrives asks these questions, so they must not cost a query. The maps are built
from the catalog at start; the services that change the catalog tell the registry after their
commit. Look-ups take no lock: each is one access to a dict, in which what is known already is never
missing while it is changed. Whose a token is, `services.credentials` knows.

Where other processes change the same catalog, the registry follows its feed of changes: `catch_up`
reads anew what they changed. What this process changed is then read anew as well, since somebody
else may have changed it once more before we are told.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock, RLock

from barograph.domain.device import Device, Series
from barograph.domain.metric import UNSET, MetricSettings
from barograph.domain.sharing import Share
from barograph.domain.user import Principal, Token, User
from barograph.ports.catalog import Catalog
from barograph.services.credentials import Credentials

_PAGE = 1_000
_CHANGES = 1_000
_READ_ANEW_MAX = 500
"""Beyond so many at once, reading everything is quicker than reading each anew."""
_NO_SERIES: Mapping[str, int] = {}

KeyGivenUp = Callable[[Device], None]


class Registry:
    """The catalog's users, devices, tokens and series, in memory."""

    def __init__(self, catalog: Catalog, *, follows: bool = False) -> None:
        """`follows`: other processes change the catalog, too."""
        self._catalog = catalog
        self.follows = follows
        self._lock = Lock()
        self._reading = RLock()
        """Held while the catalog is read and the maps are changed by it: so what was read earlier
        never replaces what was read later."""
        self._alone: defaultdict[str, Lock] = defaultdict(Lock)
        self._asked = self._seen = 0
        self._position = catalog.changes.number()
        self._credentials = Credentials()
        self._changes = 0
        self._devices: dict[int, Device] = {}
        self._by_key: dict[str, Device] = {}
        self._below: dict[str, set[int]] = {}
        """The devices whose keys lie below this one, level by level (`hall` has `hall/door`)."""
        self._watching: list[KeyGivenUp] = []
        self._owned: dict[int | None, dict[int, Device]] = {}
        self._shares: dict[int, dict[int, bool]] = {}
        self._shared_with: dict[int, set[int]] = {}
        self._series: dict[int, Series] = {}
        self._metrics: dict[int, dict[str, int]] = {}
        self._settings: dict[int, MetricSettings] = {}
        self._load()

    @property
    def generation(self) -> int:
        """Grows with every change to users, devices and tokens.

        Who remembers an answer asks again when it has.
        """
        return self._changes + self._credentials.generation

    def _load(self) -> None:
        catalog = self._catalog
        for share in catalog.device_shares.all():
            self._note_share(share)
        for device in catalog.devices.all():
            self._place(device)
        for series in catalog.series.all():
            self._series[series.id] = series
            self._metrics.setdefault(series.device_id, {})[series.metric] = series.id
        self._settings.update(catalog.series.settings())
        self._credentials.know_only(_every_user(catalog), catalog.tokens.all())

    # What other processes change

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keeps out whoever else is `alone` with this, in other processes as well, and is up to date.

        For rules about more than one row, which are checked before they are acted upon.
        """
        if not self.follows:
            with self._alone[name]:
                yield
            return
        with self._catalog.turns.alone(name):
            self.catch_up()
            yield

    def catch_up(self) -> None:
        """Know all that was committed before this was called, by whatever process.

        Costs one look at a counter where nothing was, and only one for all who ask at the same
        moment. Raises `Unavailable`.
        """
        if not self.follows:
            return
        with self._lock:
            self._asked += 1
            turn = self._asked
        with self._reading:
            # A look that began after we asked, by somebody before us in the queue, serves us too.
            if self._seen < turn:
                with self._lock:
                    asked = self._asked
                self._follow()
                self._seen = asked

    def _follow(self) -> None:
        number = self._catalog.changes.number()
        while self._position < number:
            found = self._catalog.changes.since(self._position, _CHANGES)
            if not found or found[0].number != self._position + 1:
                self._reload(number)
                return
            users = {change.id for change in found if change.kind == "user"}
            devices = {change.id for change in found if change.kind == "device"}
            if len(users) + len(devices) > _READ_ANEW_MAX:
                self._reload(number)
                return
            for user_id in users:
                self._read_user(user_id)
            for device_id in devices:
                self._read_device(device_id)
            self._position = found[-1].number

    def _reload(self, number: int) -> None:
        """Read everything, beside the look-ups that go on in what was known before."""
        fresh = Registry(self._catalog)
        with self._lock:
            known = self._devices
            self._devices, self._by_key, self._owned = fresh._devices, fresh._by_key, fresh._owned
            self._below = fresh._below
            self._shares, self._shared_with = fresh._shares, fresh._shared_with
            self._series, self._metrics = fresh._series, fresh._metrics
            self._settings = fresh._settings
            self._credentials.know_only(fresh._credentials.users(), fresh._credentials.tokens())
            self._changes += 1
            for old in known.values():
                new = self._devices.get(old.id)
                if new is None or new.key != old.key:
                    self._tell_given_up(old)
        self._position = max(number, fresh._position)

    def _read_user(self, user_id: int) -> None:
        with self._reading:
            user = self._catalog.users.get(user_id)
            if user is None:
                self.drop_user(user_id)
                return
            tokens = self._catalog.tokens.of_user(user_id)
            self._credentials.put_user(user)
            self._credentials.put_tokens_of_user(user_id, tokens)

    def _read_device(self, device_id: int) -> None:
        with self._reading:
            catalog = self._catalog
            device = catalog.devices.get(device_id)
            if device is None:
                self.forget_device(device_id)
                return
            tokens = catalog.tokens.of_device(device_id)
            shares = catalog.device_shares.of_subject(device_id)
            series = catalog.series.of_device(device_id)
            settings = catalog.series.settings(device_id)
            with self._lock:
                for user_id in self._shares.pop(device_id, {}):
                    self._shared_with.get(user_id, set()).discard(device_id)
                for share in shares:
                    self._note_share(share)
                self._place(device)
                for one in series:
                    self._series[one.id] = one
                    self._settings.pop(one.id, None)
                self._settings.update(settings)
                self._metrics[device_id] = {one.metric: one.id for one in series}
                self._changes += 1
            self._credentials.put_tokens_of_device(device_id, tokens)

    # Credentials

    def principal(self, digest: bytes) -> Principal | None:
        """Whose the token with this SHA-256 digest is; one that expires is not found here."""
        return self._credentials.principal(digest)

    def principal_at(self, digest: bytes, now: int) -> Principal | None:
        """Whose the token with this digest is at this time."""
        return self._credentials.principal_at(digest, now)

    def take_used(self) -> list[Token]:
        """The tokens that were used since this was asked before."""
        return self._credentials.take_used()

    def token(self, digest: bytes) -> Token | None:
        """The token with this SHA-256 digest."""
        return self._credentials.token(digest)

    def user(self, user_id: int) -> User | None:
        """The user with this id."""
        return self._credentials.user(user_id)

    def put_token(self, token: Token) -> None:
        """Let the token in."""
        if self.follows and token.device_id is not None:
            self._read_device(token.device_id)
        elif self.follows and token.user_id is not None:
            self._read_user(token.user_id)
        else:
            self._credentials.put_token(token)

    def drop_token(self, digest: bytes) -> None:
        """Refuse the token from now on."""
        self._credentials.drop_token(digest)

    def drop_device_tokens(self, device_id: int) -> None:
        """Refuse every token of the device."""
        self._credentials.put_tokens_of_device(device_id, ())

    def put_user(self, user: User) -> None:
        """Know the user as it is now."""
        if self.follows:
            self._read_user(user.id)
        else:
            self._credentials.put_user(user)

    def drop_user(self, user_id: int) -> None:
        """Forget the user and refuse its tokens."""
        self._credentials.drop_user(user_id)
        for device_id in list(self._shared_with.get(user_id, ())):
            self.drop_share(device_id, user_id)

    # Devices

    def device(self, ref: int | str) -> Device | None:
        """The device with this id (a number, or its digits) or, failing that, this key."""
        if isinstance(ref, int):
            return self._devices.get(ref)
        if ref.isascii() and ref.isdigit() and len(ref) < 19:
            found = self._devices.get(int(ref))
            if found is not None:
                return found
        return self._by_key.get(ref)

    def device_with_key(self, key: str) -> Device | None:
        """The device that calls itself so."""
        return self._by_key.get(key)

    def nested_with(self, ref: str) -> list[Device]:
        """The devices above whose key or id `ref` lies or below it, level by level.

        Below the topic of `hall` lie those of `hall/door`.
        """
        levels = ref.split("/")
        above = [self.device("/".join(levels[:n])) for n in range(1, len(levels))]
        below = [self._devices.get(one) for one in tuple(self._below.get(ref, ()))]
        return [one for one in (*above, *below) if one is not None]

    def watch_keys(self, given_up: "KeyGivenUp") -> Callable[[], None]:
        """Have `given_up` called with every device that is removed or gets another key.

        It gets the device as it was, on whatever thread, and must neither block nor raise. Returns
        what ends this.
        """
        self._watching.append(given_up)
        return lambda: self._watching.remove(given_up)

    def devices(self) -> list[Device]:
        """Every device, in order of id."""
        return sorted(self._devices.values(), key=lambda device: device.id)

    def devices_of_user(self, user_id: int | None) -> list[Device]:
        """The user's devices (nobody's for None), in order of id."""
        owned = list(self._owned.get(user_id, {}).values())
        return sorted(owned, key=lambda device: device.id)

    def devices_for(self, principal: Principal) -> list[Device]:
        """The devices whose readings `principal` may read, in order of id."""
        if principal.is_admin:
            return self.devices()
        if principal.kind == "device":
            own = self._devices.get(principal.device_id or 0)
            return [] if own is None else [own]
        if principal.user_id is None:
            return []
        seen = set(self._owned.get(principal.user_id, ()))
        seen |= self._shared_with.get(principal.user_id, set())
        return [device for one in sorted(seen) if (device := self._devices.get(one)) is not None]

    def put_share(self, share: Share) -> None:
        """Know that the device is shared, and how."""
        if self.follows:
            self._read_device(share.subject_id)
            return
        with self._lock:
            self._note_share(share)
            self._replace(share.subject_id)

    def drop_share(self, device_id: int, user_id: int) -> None:
        """Know that the device is not shared with the user any more."""
        if self.follows:
            self._read_device(device_id)
            return
        with self._lock:
            shares = dict(self._shares.get(device_id, {}))
            shares.pop(user_id, None)
            self._shares[device_id] = shares
            self._shared_with.get(user_id, set()).discard(device_id)
            self._replace(device_id)

    def _note_share(self, share: Share) -> None:
        device_id, user_id = share.subject_id, share.user_id
        self._shares[device_id] = {**self._shares.get(device_id, {}), user_id: share.writes}
        self._shared_with.setdefault(user_id, set()).add(device_id)

    def _replace(self, device_id: int) -> None:
        device = self._devices.get(device_id)
        if device is not None:
            self._place(device)
            self._changes += 1

    def put_device(self, device: Device) -> None:
        """Know the device as it is now."""
        if self.follows:
            self._read_device(device.id)
            return
        with self._lock:
            self._place(device)
            self._changes += 1

    def refresh_device(self, device_id: int) -> None:
        """Read the device again from the catalog."""
        device = self._catalog.devices.get(device_id)
        if device is None:
            self.forget_device(device_id)
        else:
            self.put_device(device)

    def forget_device(self, device_id: int) -> None:
        """Forget the device, its tokens and its series."""
        self.drop_device_tokens(device_id)
        with self._lock:
            self._unplace(device_id)
            for user_id in self._shares.pop(device_id, {}):
                self._shared_with.get(user_id, set()).discard(device_id)
            for series_id in self._metrics.pop(device_id, {}).values():
                self._series.pop(series_id, None)
                self._settings.pop(series_id, None)
            self._changes += 1

    def _place(self, device: Device) -> None:
        shares = self._shares.get(device.id)
        if shares is not None:
            device = replace(device, shared=shares)
        old = self._devices.get(device.id)
        self._devices[device.id] = device
        self._by_key[device.key] = device
        self._owned.setdefault(device.user_id, {})[device.id] = device
        if old is not None and old.key != device.key:
            self._forget_key(old)
        if old is None or old.key != device.key:
            for prefix in _prefixes(device.key):
                self._below.setdefault(prefix, set()).add(device.id)
        if old is not None and old.user_id != device.user_id:
            self._owned[old.user_id].pop(device.id, None)

    def _unplace(self, device_id: int) -> None:
        old = self._devices.pop(device_id, None)
        if old is not None:
            self._forget_key(old)
            self._owned[old.user_id].pop(device_id, None)

    def _forget_key(self, old: Device) -> None:
        found = self._by_key.get(old.key)
        if found is not None and found.id == old.id:
            del self._by_key[old.key]
        for prefix in _prefixes(old.key):
            below = self._below.get(prefix, set())
            below.discard(old.id)
            if not below:
                self._below.pop(prefix, None)
        self._tell_given_up(old)

    def _tell_given_up(self, old: Device) -> None:
        for given_up in tuple(self._watching):
            given_up(old)

    # Series

    def series_of(self, device_id: int) -> Mapping[str, int]:
        """The series ids of the device, by metric."""
        return self._metrics.get(device_id, _NO_SERIES)

    def series(self, series_id: int) -> Series | None:
        """What the series stands for."""
        return self._series.get(series_id)

    def metric_settings(self, series_id: int) -> MetricSettings:
        """How the series is shown."""
        return self._settings.get(series_id, UNSET)

    def put_metric_settings(self, series_id: int, settings: MetricSettings) -> None:
        """Know how the series is shown now."""
        known = self._series.get(series_id)
        if self.follows and known is not None:
            self._read_device(known.device_id)
            return
        self._settings[series_id] = settings

    def ensure_series(self, device_id: int, metrics: Sequence[str]) -> Mapping[str, int]:
        """`series_of` the device once it has all these metrics; makes the missing in the catalog.

        Raises `NotFound` where the device is gone.
        """
        known = self._metrics.get(device_id, _NO_SERIES)
        missing = [metric for metric in dict.fromkeys(metrics) if metric not in known]
        if missing:
            made = self._catalog.series.ensure(device_id, missing)
            with self._lock:
                for series in made:
                    self._series[series.id] = series
                self._metrics[device_id] = {
                    **self._metrics.get(device_id, _NO_SERIES),
                    **{series.metric: series.id for series in made},
                }
        return self.series_of(device_id)


def _prefixes(key: str) -> list[str]:
    levels = key.split("/")
    return ["/".join(levels[:n]) for n in range(1, len(levels))]


def _every_user(catalog: Catalog) -> Iterator[User]:
    offset = 0
    while True:
        page = catalog.users.list(limit=_PAGE, offset=offset)
        yield from page.items
        offset += len(page.items)
        if not page.items or offset >= page.total:
            return
