"""Committed readings for those who watch live, passed on between processes by a Redis stream.

The stream's ids are the readings' numbers. Where Redis has forgotten them, numbering goes on from the
time of day in microseconds, which is beyond all that was given out before.
"""

from collections.abc import Sequence
from typing import Any

from barograph.ports.clock import Clock
from barograph.ports.processes import Relayed
from barograph.stores.redis.connection import ANSWER_SECONDS_MAX, connect, explained

_ENTRIES_MAX = 64
_WAIT_MS = 1_000
assert _WAIT_MS / 1000 < ANSWER_SECONDS_MAX

# KEYS: counter, stream. ARGV: now, how many entries to keep, then (count, payload) each.
_SEND = """
local next = tonumber(redis.call('GET', KEYS[1]) or ARGV[1])
for i = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], string.format('%.0f-0', next),
             'n', ARGV[i], 'p', ARGV[i + 1])
  next = next + tonumber(ARGV[i])
end
redis.call('SET', KEYS[1], string.format('%.0f', next))
"""
# KEYS: counter. ARGV: now.
_NEXT = """
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
"""


class RedisRelay:
    """`ports.processes.Relay` on a Redis stream."""

    def __init__(self, url: str, installation: str, clock: Clock, entries_max: int) -> None:
        """About the last `entries_max` parts are kept."""
        self._redis = connect(url)
        self._clock = clock
        self._keep = entries_max
        self._counter = f"barograph:{installation}:live:next"
        self._stream = f"barograph:{installation}:live"
        self._send: Any = self._redis.register_script(_SEND)
        self._next: Any = self._redis.register_script(_NEXT)

    def send(self, parts: Sequence[tuple[int, bytes]]) -> None:
        """Number and pass on the parts."""
        arguments: list[int | bytes] = [self._clock(), self._keep]
        for count, payload in parts:
            arguments += [count, payload]
        with explained():
            self._send(keys=[self._counter, self._stream], args=arguments)

    def next_number(self) -> int:
        """The number that the next reading gets."""
        with explained():
            return int(self._next(keys=[self._counter], args=[self._clock()]))

    def receive(self, number: int) -> Sequence[Relayed]:
        """Some of what is kept from `number` on; waits up to a second for it."""
        after = f"{number - 1}-0" if number else "0-0"
        with explained():
            found: Any = self._redis.xread({self._stream: after}, _ENTRIES_MAX, _WAIT_MS)
        return [
            Relayed(int(entry.partition(b"-")[0]), int(fields[b"n"]), fields[b"p"])
            for _, entries in found or ()
            for entry, fields in entries
        ]

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
