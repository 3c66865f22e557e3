"""The MQTT interface described as AsyncAPI 3.0 says, beside the OpenAPI schema of HTTP.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from barograph import __version__
from barograph.domain.limits import Limits
from barograph.mqtt import MqttLimits
from barograph.transport.http.reading_schemas import COLUMNS, READINGS
from barograph.transport.mqtt.topics import COMMAND, PREFIX, Template

_DEVICE = {
    "description": "A device's key or number. A key may hold slashes: the longest that is "
    "registered counts, and of an unknown device the first level.",
    "examples": ["kitchen"],
}
_METRIC = {"description": "A metric's name; it may hold slashes.", "examples": ["temperature"]}
_VALUE = {
    "description": "A number, true, false, on or off, a text, or an object with `value` and "
    "perhaps a time.",
    "anyOf": [
        {"type": ["number", "boolean", "string"]},
        {
            "type": "object",
            "required": ["value"],
            "properties": {
                "value": {"type": ["number", "boolean", "string"]},
                "ts": {
                    "type": ["string", "number"],
                    "description": "RFC 3339, or a number since 1970.",
                },
            },
        },
    ],
}
_COMMAND = {
    "type": "object",
    "required": ["id", "command"],
    "properties": {
        "id": {"type": "integer", "description": "The same if the command comes twice."},
        "command": {"description": "What to do, as it was given to the API."},
    },
}
_MESSAGES: Mapping[str, Mapping[str, Any]] = {
    "readings": {
        "title": "Readings as JSON",
        "contentType": "application/json",
        "payload": {"anyOf": [READINGS, {"type": "array", "items": READINGS}, COLUMNS]},
        "examples": [
            {"name": "one", "payload": {"temperature": 21.5, "humidity": 40}},
            {"name": "timed", "payload": {"ts": "2026-01-01T12:00:00Z", "temperature": 21.5}},
        ],
    },
    "readingsNdjson": {
        "title": "Readings as NDJSON (5.0, by the content type)",
        "contentType": "application/x-ndjson",
        "payload": {"type": "string"},
        "examples": [{"name": "two", "payload": '{"temperature": 21.5}\n{"humidity": 40}\n'}],
    },
    "readingsCsv": {
        "title": "Readings as CSV (5.0, by the content type)",
        "contentType": "text/csv",
        "payload": {"type": "string"},
        "examples": [
            {"name": "one", "payload": "ts,temperature\n2026-01-01T12:00:00Z,21.5\n"},
        ],
    },
    "value": {
        "title": "One value",
        "contentType": "text/plain",
        "payload": _VALUE,
        "examples": [
            {"name": "number", "payload": 21.5},
            {"name": "state", "payload": "on"},
            {"name": "timed", "payload": {"value": 21.5, "ts": "2026-01-01T12:00:00Z"}},
        ],
    },
    "command": {
        "title": "A command",
        "contentType": "application/json",
        "payload": _COMMAND,
        "examples": [{"name": "relay", "payload": {"id": 7, "command": {"relay": "on"}}}],
    },
    "reply": {
        "title": "What the device says to a command",
        "contentType": "application/json",
        "payload": {"description": "JSON, or a text."},
        "examples": [{"name": "done", "payload": {"done": True}}],
    },
}
_READINGS = ("readings", "readingsNdjson", "readingsCsv")


def describe(
    templates: Iterable[Template],
    limits: Limits,
    servers: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The document: what this program receives and sends on which topics.

    `templates` are those of the setting `mqtt_topics`, `servers` what `servers_at` makes.
    """
    channels = _channels(templates)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Barograph over MQTT",
            "version": __version__,
            "description": "Readings in, commands out. QoS 1 and 2 are acknowledged when the "
            "readings are synced to the disk; sending again what was not acknowledged stores it "
            "once, if it has a time. MQTT 3.1.1 and 5.0.",
            "license": {"name": "Apache 2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {name: {**server, **_server(limits)} for name, server in servers.items()},
        "channels": channels,
        "operations": _operations(channels),
        "components": {
            "messages": {name: dict(message) for name, message in _MESSAGES.items()},
            "securitySchemes": {
                "token": {
                    "type": "userPassword",
                    "description": "The device's key and its token; a user's name and an API "
                    "token or the password; or a token alone, as the user name.",
                }
            },
        },
    }


def servers_at(
    base_url: str, port: int | None, *, tls: bool = False, host: str | None = None
) -> dict[str, dict[str, Any]]:
    """The servers as somebody sees them who reaches the HTTP side at `base_url`.

    `host` is that of another broker which Barograph listens to; else it serves MQTT itself on
    `port`, and over WebSocket beside HTTP.
    """
    if port is None:
        return {}
    http = urlsplit(base_url)
    name = host or http.hostname or "localhost"
    found = {
        "mqtt": {
            "host": f"[{name}]:{port}" if ":" in name else f"{name}:{port}",
            "protocol": "secure-mqtt" if tls else "mqtt",
            "protocolVersion": "5.0",
            "description": "MQTT 5.0 and 3.1.1.",
        }
    }
    if host is None:
        found["websocket"] = {
            "host": http.netloc or "localhost",
            "pathname": "/mqtt",
            "protocol": "wss" if http.scheme == "https" else "ws",
            "description": "The same over WebSocket, subprotocol mqtt, unless mqtt_websocket is off.",
        }
    return found


def _server(limits: Limits) -> dict[str, Any]:
    return {
        "security": [{"$ref": "#/components/securitySchemes/token"}],
        "bindings": {
            "mqtt": {
                "maximumPacketSize": limits.mqtt_packet_bytes_max,
                "sessionExpiryInterval": MqttLimits().session_expiry_seconds_max,
                "bindingVersion": "0.2.0",
            }
        },
    }


def _channels(templates: Iterable[Template]) -> dict[str, dict[str, Any]]:
    device = f"{PREFIX}{{device}}"
    told = f"{device}/{COMMAND}"
    channels = {
        "readings": _channel(device, _READINGS, "Readings of a device."),
        "readingsData": _channel(f"{device}/data", _READINGS, "The same."),
        "value": _channel(f"{device}/{{metric}}", ("value",), "One reading of one metric."),
        "command": _channel(told, ("command",), "What a device is told to do."),
        "reply": _channel(
            f"{told}/{{command}}/reply", ("reply",), "What the device says to a command."
        ),
    }
    for number, template in enumerate(templates, 1):
        address = "/".join(
            f"{{any{place}}}" if level == "+" else level
            for place, level in enumerate(template.levels, 1)
        )
        messages = ("value",) if "{metric}" in template.levels else _READINGS
        channels[f"template{number}"] = _channel(
            address, messages, "A topic of the setting mqtt_topics."
        )
    return channels


def _channel(address: str, messages: Iterable[str], description: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for level in address.split("/"):
        if level.startswith("{"):
            name = level.strip("{}")
            parameters[name] = {"device": _DEVICE, "metric": _METRIC}.get(
                name,
                {"description": "The command's id." if name == "command" else "Any one level."},
            )
    return {
        "address": address,
        "description": description,
        "parameters": parameters,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operations(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for name in channels:
        if name in {"command", "reply"}:
            continue
        title = name[0].upper() + name[1:]
        operations[f"take{title}"] = _operation(
            "receive", name, "Stored; the acknowledgement comes after the commit."
        )
        operations[f"pass{title}On"] = _operation(
            "send", name, "Passed on to whoever may subscribe, after it is stored."
        )
    operations["sendCommand"] = {
        **_operation("send", "command", "Sent at QoS 1, now or when the device next comes."),
        "reply": {
            "address": {
                "description": "5.0: the response topic of the command's message.",
                "location": "$message.header#/responseTopic",
            },
            "channel": {"$ref": "#/channels/reply"},
        },
    }
    return operations


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}},
    }
