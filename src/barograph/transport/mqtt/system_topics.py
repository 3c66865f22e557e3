"""What the server tells of itself below `$SYS`, under the names that Mosquitto made usual."""

from barograph import __version__
from barograph.services.telemetry import Telemetry

SYS_SECONDS = 10.0
"""Between two tellings. The messages are not retained: that would write to the disk each time."""


def system_topics(telemetry: Telemetry, uptime_seconds: float) -> dict[str, str | int]:
    """The topics and their values now."""
    return {
        "$SYS/broker/version": f"barograph {__version__}",
        "$SYS/broker/uptime": f"{uptime_seconds:.0f} seconds",
        "$SYS/broker/clients/connected": telemetry.mqtt_connections,
        "$SYS/broker/clients/total": telemetry.mqtt_sessions,
        "$SYS/broker/subscriptions/count": telemetry.mqtt_subscriptions,
        "$SYS/broker/retained messages/count": telemetry.mqtt_retained,
        "$SYS/broker/publish/messages/received": telemetry.mqtt_received,
        "$SYS/broker/publish/messages/sent": telemetry.mqtt_sent,
        "$SYS/broker/publish/messages/dropped": telemetry.mqtt_dropped,
    }
