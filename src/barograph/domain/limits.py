"""The bounds of everything, in one place, the unit last in the name.

Every limit that an operator may move is a setting of the same name (`config.py`); this is where
its default and its relations to the others stand.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force."""

    body_bytes_max: int = 16 * MIB
    """A request body as it comes over the wire."""
    decompressed_bytes_max: int = 64 * MIB
    """A request body after `Content-Encoding` is undone."""
    decompression_ratio_max: int = 100
    """How many times larger a body may become by decompression."""
    json_depth_max: int = 16
    request_readings_max: int = 50_000
    """Readings in one request or message."""
    metric_bytes_max: int = 128
    """A metric's name, in UTF-8."""
    text_bytes_max: int = 4 * KIB
    """A text state, in UTF-8."""
    future_hours_max: float = 24.0
    """How far ahead of the server's clock a reading's time may lie."""
    device_metrics_max: int = 1_000
    """Metrics of one device."""
    backlog_readings_max: int = 500_000
    """Readings accepted but not yet committed; beyond it senders are told to wait."""
    header_bytes_max: int = 16 * KIB
    header_seconds_max: float = 10.0
    """From the connection's (or the previous response's) end to the end of the header block."""
    body_idle_seconds_max: float = 30.0
    """Between two pieces of a request body."""
    idle_seconds_max: float = 75.0
    """A kept-alive connection without a request."""
    connections_max: int = 12_000
    address_connections_max: int = 4_000
    """Connections from one address; the local machine is not counted."""
    password_chars_min: int = 8
    password_chars_max: int = 1024
    page_items_max: int = 1_000
    """Items of one page of a list."""
    buckets_max: int = 100_000
    """Buckets of one answer, over all its groups."""
    jobs_queued_max: int = 1_000
    """Jobs waiting, per user."""
    live_subscribers_max: int = 1_000
    live_backlog_events_max: int = 10_000
    """Events kept for resuming live streams, and at most waiting for one slow reader."""

    def __post_init__(self) -> None:
        for earlier, later in (
            ("body_bytes_max", "decompressed_bytes_max"),
            ("request_readings_max", "backlog_readings_max"),
            ("text_bytes_max", "body_bytes_max"),
            ("password_chars_min", "password_chars_max"),
            ("address_connections_max", "connections_max"),
        ):
            low, high = getattr(self, earlier), getattr(self, later)
            if low > high:
                raise ValueError(f"{earlier} ({low}) must not be above {later} ({high})")
