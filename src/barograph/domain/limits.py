"""The bounds of everything, in one place, the unit last in the name.

Every limit that an operator may move is a setting of the same name (`config.py`); this is where
its default and its relations to the others stand.
"""

from dataclasses import dataclass, field
from typing import Any

KIB = 1024
MIB = 1024 * KIB


def _limit(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force; each field's metadata has its `help`."""

    body_bytes_max: int = _limit(16 * MIB, "A request body as it comes over the wire.")
    decompressed_bytes_max: int = _limit(
        64 * MIB, "A request body after Content-Encoding is undone."
    )
    decompression_ratio_max: int = _limit(
        100, "How many times larger a body may become by decompression."
    )
    json_depth_max: int = _limit(16, "How deep JSON may be nested.")
    request_readings_max: int = _limit(50_000, "Readings in one request or message.")
    metric_bytes_max: int = _limit(128, "A metric's name, in UTF-8.")
    text_bytes_max: int = _limit(4 * KIB, "A text state, in UTF-8.")
    future_hours_max: float = _limit(
        24.0, "How far ahead of the server's clock a reading's time may lie."
    )
    device_metrics_max: int = _limit(1_000, "Metrics of one device.")
    backlog_readings_max: int = _limit(
        500_000, "Readings accepted but not yet committed; beyond it senders are told to wait."
    )
    header_bytes_max: int = _limit(16 * KIB, "A request's header block.")
    header_seconds_max: float = _limit(
        10.0, "From a request's first byte, or the connection's start, to the end of its headers."
    )
    body_idle_seconds_max: float = _limit(30.0, "Between two pieces of a request body.")
    answer_idle_seconds_max: float = _limit(60.0, "An answer of which its reader takes nothing.")
    idle_seconds_max: float = _limit(75.0, "A kept-alive connection without a request.")
    connections_max: int = _limit(12_000, "Connections in all; HTTP and MQTT count apart.")
    address_connections_max: int = _limit(
        4_000, "Connections from one address; this machine is not counted."
    )
    mqtt_packet_bytes_max: int = _limit(256 * KIB, "An MQTT packet.")
    mqtt_first_packet_bytes_max: int = _limit(
        4 * KIB, "The MQTT packet CONNECT, which comes from somebody not yet known."
    )
    mqtt_receive_max: int = _limit(
        100, "MQTT messages of one client that may wait for their acknowledgement (5.0)."
    )
    mqtt_bridge_receive_max: int = _limit(
        1_000, "Messages of the external MQTT broker that may wait for their acknowledgement (5.0)."
    )
    command_bytes_max: int = _limit(16 * KIB, "A command to a device, and a device's reply.")
    device_commands_queued_max: int = _limit(100, "Commands that wait for one device.")
    password_chars_min: int = _limit(8, "The shortest password.")
    password_chars_max: int = _limit(1024, "The longest password.")
    page_items_max: int = _limit(1_000, "Items of one page of a list.")
    buckets_max: int = _limit(100_000, "Buckets of one answer, over all its groups.")
    jobs_queued_max: int = _limit(1_000, "Jobs waiting, per user.")
    job_seconds_max: float = _limit(
        1_200.0, "How long one job may run; RabbitMQ itself gives up after 1,800."
    )
    report_values_max: int = _limit(200_000, "Figures in one report.")
    report_minutes_min: int = _limit(5, "Between two reports of one schedule.")
    reports_max: int = _limit(1_000, "Reports kept, per user; beyond it the oldest go.")
    schedules_max: int = _limit(100, "Schedules of reports, per user.")
    report_targets_max: int = _limit(20, "Addresses and webhooks of one schedule, each.")
    mail_bytes_max: int = _limit(
        10 * MIB, "Files attached to one e-mail; what is beyond it is left out, and said so."
    )
    live_subscribers_max: int = _limit(1_000, "Live streams at a time.")
    user_live_subscribers_max: int = _limit(
        100, "Live streams of one user at a time, or by the links to one dashboard."
    )
    live_backlog_events_max: int = _limit(
        10_000, "Readings kept for resuming live streams, and at most waiting for one slow reader."
    )

    def __post_init__(self) -> None:
        for earlier, later in (
            ("body_bytes_max", "decompressed_bytes_max"),
            ("request_readings_max", "backlog_readings_max"),
            ("text_bytes_max", "body_bytes_max"),
            ("password_chars_min", "password_chars_max"),
            ("address_connections_max", "connections_max"),
            ("mqtt_first_packet_bytes_max", "mqtt_packet_bytes_max"),
        ):
            low, high = getattr(self, earlier), getattr(self, later)
            if low > high:
                raise ValueError(f"{earlier} ({low}) must not be above {later} ({high})")
