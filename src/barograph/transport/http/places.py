"""How many connections a server holds, in all and from one address."""

from collections import Counter

from barograph.domain.limits import Limits
from barograph.transport.http.access import is_loopback


class Places:
    """Those of one protocol. This machine's own connections count in all only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Count a connection in; False where there is no place for it."""
        limits = self._limits
        if self._count >= limits.connections_max or (
            self._by_address[address] >= limits.address_connections_max and not is_loopback(address)
        ):
            return False
        self._count += 1
        self._by_address[address] += 1
        return True

    def give_back(self, address: str) -> None:
        """Count one out that was counted in."""
        self._count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
