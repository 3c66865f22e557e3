"""JSON schemas of readings, for the descriptions of HTTP and of MQTT."""

from typing import Any

_VALUE = {"type": ["number", "boolean", "string", "null"]}
READINGS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": _VALUE,
    "description": "Metric names and their values; ts, time or timestamp gives the time.",
    "example": {"temperature": 21.5, "humidity": 40},
}
COLUMNS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": _VALUE},
    "example": {"ts": [1700000000, 1700000060], "temperature": [21.5, 21.7]},
}
