"""A client's keep-alive: when to ask the server for a sign of life, and when to give it up.

Rules:
- A packet at least every keep-alive ([MQTT-3.1.2-20]).
- A server that leaves a PINGREQ unanswered for as long is gone (3.1.2.10).
"""

from typing import Final

_PING_AFTER: Final = 0.75
"""Of the keep-alive, so that the packet is in time however late the host's `tick` is."""


class KeepAlive:
    """Times in seconds, on the host's clock."""

    def __init__(self, interval: int, now: float) -> None:
        """`interval` is 0 where there is none."""
        self.interval = interval
        self.heard = self.sent = now
        """When the last bytes came, and went."""
        self._asked: float | None = None

    def deadline(self) -> float | None:
        """When to ask, or to give up; None where there is no keep-alive."""
        if not self.interval:
            return None
        if self._asked is not None:
            return max(self._asked, self.heard) + self.interval
        return min(self.heard, self.sent) + _PING_AFTER * self.interval

    def asks(self, now: float) -> bool:
        """Whether to ask, at the deadline; else the server is gone."""
        if self._asked is not None:
            return False
        self._asked = now
        return True

    def answered(self) -> None:
        """PINGRESP came."""
        self._asked = None

    def not_listening(self, now: float) -> None:
        """The host does not read the socket: silence says nothing."""
        self.heard, self._asked = now, None
