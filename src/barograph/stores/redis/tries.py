"""How often somebody has tried something, counted for all processes in Redis.

While Redis is away each process counts for itself: a limit then lets through as many times more as
there are processes, and keeps nobody out for good.
"""

import logging
from hashlib import sha256
from typing import Any

from barograph.domain.errors import Unavailable
from barograph.domain.tries import Allowance
from barograph.ports.processes import Tries
from barograph.stores.redis.connection import connect, explained

logger = logging.getLogger(__name__)

# The arithmetic of `domain.tries`. KEYS: bucket. ARGV: burst, interval, now, by (-1 or 1).
_MOVE = """
local burst, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, by = tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'tries', 'time')
local left = burst
if kept[1] then
  left = math.min(burst, tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) / interval)
end
if by < 0 and left < 1 then
  return string.format('%.0f', math.ceil((1 - left) * interval))
end
left = math.min(burst, left + by)
if left >= burst then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'tries', string.format('%.9f', left), 'time', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((burst - left) * interval / 1000)))
end
return '0'
"""


class RedisTries:
    """`ports.processes.Tries` in Redis."""

    def __init__(self, url: str, installation: str, otherwise: Tries) -> None:
        """`otherwise` counts while Redis is away."""
        self._redis = connect(url)
        self._prefix = f"barograph:{installation}:tries:"
        self._move: Any = self._redis.register_script(_MOVE)
        self._otherwise = otherwise
        self._away = False

    def take(self, key: str, allowance: Allowance, now: int) -> float:
        """Use up a try: 0, or the microseconds until there is another."""
        wait = self._moved(key, allowance, now, -1)
        return self._otherwise.take(key, allowance, now) if wait is None else wait

    def give_back(self, key: str, allowance: Allowance, now: int) -> None:
        """Return a try that did not count after all."""
        if self._moved(key, allowance, now, 1) is None:
            self._otherwise.give_back(key, allowance, now)

    def _moved(self, key: str, allowance: Allowance, now: int, by: int) -> float | None:
        name = self._prefix + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            with explained():
                wait = float(
                    self._move(keys=[name], args=[allowance.burst, allowance.interval, now, by])
                )
        except Unavailable as error:
            if not self._away:
                logger.warning("Tries are counted in each process for itself: %s", error)
            self._away = True
            return None
        self._away = False
        return wait

    def problem(self) -> str | None:
        """What is wrong with Redis, found out by looking."""
        try:
            with explained():
                self._redis.ping()
        except Unavailable as error:
            return f"{error}; readings are not told live between processes meanwhile"
        return None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
