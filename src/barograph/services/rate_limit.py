"""How often somebody may do something: one bucket of tries for each key."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock

from barograph.domain.errors import TooManyRequests
from barograph.domain.time import SECOND
from barograph.domain.tries import Allowance
from barograph.ports.clock import Clock
from barograph.ports.processes import Tries

_NEIGHBOURHOOD_BITS = 64
"""Whoever has one IPv6 address usually has the whole /64 around it."""


class MemoryTries:
    """`ports.processes.Tries` of one process, with bounded memory.

    At most `keys_max` keys are remembered; beyond that, the one longest untouched is forgotten,
    which favours it: a limit slows guessing down, it is not what keeps strangers out.
    """

    def __init__(self, keys_max: int = 10_000) -> None:
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, allowance: Allowance, now: int) -> float:
        """Use up a try: 0, or the microseconds until there is another."""
        with self._lock:
            left = self._left(key, allowance, now)
            wait = allowance.wait(left)
            if not wait:
                self._keep(key, allowance, left - 1, now)
            return wait

    def give_back(self, key: str, allowance: Allowance, now: int) -> None:
        """Return a try that did not count after all."""
        with self._lock:
            self._keep(key, allowance, self._left(key, allowance, now) + 1, now)

    def _left(self, key: str, allowance: Allowance, now: int) -> float:
        return allowance.left(*self._buckets.get(key, (allowance.burst, now)), now)

    def _keep(self, key: str, allowance: Allowance, left: float, now: int) -> None:
        if left >= allowance.burst:
            self._buckets.pop(key, None)
            return
        self._buckets[key] = (left, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)


class RateLimit:
    """Each key may try `burst` times at once, and again once every `interval_seconds`."""

    def __init__(
        self,
        clock: Clock,
        what: str,
        *,
        burst: int,
        interval_seconds: float,
        tries: Tries | None = None,
    ) -> None:
        """`tries` counts for several processes; by default this one counts for itself."""
        self._clock = clock
        self._what = what
        self._allowance = Allowance(float(burst), interval_seconds * SECOND)
        self._tries = MemoryTries() if tries is None else tries

    def take(self, key: str) -> None:
        """Use up one try; raises `TooManyRequests`, which says when there will be another."""
        wait = self._tries.take(self._of(key), self._allowance, self._clock()) / SECOND
        if wait > 0:
            raise TooManyRequests(
                f"too many {self._what}: try again in {max(1, round(wait))} seconds", wait
            )

    def give_back(self, key: str) -> None:
        """Return a try that did not count after all."""
        self._tries.give_back(self._of(key), self._allowance, self._clock())

    def _of(self, key: str) -> str:
        return f"{self._what}\0{key}"


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
