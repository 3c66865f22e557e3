"""How often somebody may do something: one bucket of tries for each key."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock

from barograph.domain.errors import TooManyRequests
from barograph.domain.time import SECOND
from barograph.ports.clock import Clock

_NEIGHBOURHOOD_BITS = 64
"""Whoever has one IPv6 address usually has the whole /64 around it."""


class RateLimit:
    """Token buckets with bounded memory.

    Each key may try `burst` times at once, and again once every `interval_seconds`. At most
    `keys_max` keys are remembered; beyond that, the one longest untouched is forgotten, which
    favours it: a limit slows guessing down, it is not what keeps strangers out.
    """

    def __init__(
        self,
        clock: Clock,
        what: str,
        *,
        burst: int,
        interval_seconds: float,
        keys_max: int = 10_000,
    ) -> None:
        self._clock = clock
        self._what = what
        self._burst = float(burst)
        self._interval = interval_seconds * SECOND
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str) -> None:
        """Use up one try; raises `TooManyRequests`, which says when there will be another."""
        with self._lock:
            tries, now = self._tries(key)
            if tries < 1:
                wait = (1 - tries) * self._interval / SECOND
                raise TooManyRequests(
                    f"too many {self._what}: try again in {max(1, round(wait))} seconds", wait
                )
            self._keep(key, tries - 1, now)

    def give_back(self, key: str) -> None:
        """Return a try that did not count after all."""
        with self._lock:
            tries, now = self._tries(key)
            self._keep(key, tries + 1, now)

    def _tries(self, key: str) -> tuple[float, int]:
        now = self._clock()
        tries, then = self._buckets.get(key, (self._burst, now))
        # A clock set back must not take tries away.
        return min(self._burst, tries + max(0, now - then) / self._interval), now

    def _keep(self, key: str, tries: float, now: int) -> None:
        if tries >= self._burst:
            self._buckets.pop(key, None)
            return
        self._buckets[key] = (tries, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)


def neighbourhood(address: str | None) -> str:
    """The key under which the tries of a network address count; "" where it is not known."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(IPv6Address(int(ip) >> _NEIGHBOURHOOD_BITS << _NEIGHBOURHOOD_BITS))


def is_this_machine(address: str | None) -> bool:
    """Whether a network address is a loopback address."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback
