"""What the program counts about itself: plain numbers that the hot path can afford to raise."""

from bisect import bisect_left
from dataclasses import dataclass, field

COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the commit time's histogram buckets."""


@dataclass(slots=True)
class Telemetry:
    """Counters since the start; each is written by one thread and read by any."""

    readings_committed: int = 0
    commits_failed: int = 0
    commit_seconds: float = 0.0
    commit_buckets: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_SECONDS) + 1))
    writes_overloaded: int = 0
    http_writes: int = 0
    http_writes_refused: int = 0
    mqtt_messages: int = 0
    mqtt_messages_refused: int = 0
    worker: int | None = None
    """Which of several processes on one port this is."""
    mqtt_bridge: str | None = None
    """What keeps the bridge from its MQTT broker, empty while it is connected; None: no bridge."""
    mqtt_bridge_connections: int = 0
    mqtt_connections: int = 0
    """Open now; the next four count what there is, too."""
    mqtt_sessions: int = 0
    mqtt_subscriptions: int = 0
    mqtt_retained: int = 0
    mqtt_queued_changes: int = 0
    """What waits to be kept over a restart."""
    mqtt_connects: int = 0
    mqtt_connects_refused: int = 0
    mqtt_received: int = 0
    """Messages from clients, with readings or not."""
    mqtt_sent: int = 0
    """Messages to subscribers."""
    mqtt_dropped: int = 0
    """Messages to subscribers that were too slow or away too long."""

    def committed(self, readings: int, seconds: float) -> None:
        """Count one commit."""
        self.readings_committed += readings
        self.commit_seconds += seconds
        self.commit_buckets[bisect_left(COMMIT_SECONDS, seconds)] += 1
