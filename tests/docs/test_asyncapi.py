"""The description of the MQTT interface is well formed, and true."""

import json
import re
from datetime import UTC
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.codecs import decoder_for
from barograph.codecs.value import decode_value
from barograph.domain.limits import Limits
from barograph.transport.mqtt.asyncapi import describe, servers_at
from barograph.transport.mqtt.topics import Template, Topics

SCHEMA = Path(__file__).parent / "asyncapi" / "3.0.0.json"
TEMPLATES = [Template.parse(one) for one in ("home/{device}/sensor/{metric}", "raw/+/{device}")]
SERVERS = servers_at("https://example.org/", 1883)
NOW = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def described():
    return describe(TEMPLATES, Limits(), SERVERS)


@pytest.fixture(scope="module")
def validator():
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))


def test_the_description_is_asyncapi(described, validator):
    assert [str(error) for error in validator.iter_errors(described)] == []


def test_the_schema_would_notice(described, validator):
    assert not validator.is_valid({**described, "asyncapi": "2.6.0"})
    assert not validator.is_valid({**described, "channels": {"a": {"adress": "a"}}})


def test_every_reference_leads_somewhere(described):
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(described))
    assert len(references) > 20
    for reference in references:
        place = described
        for step in reference.split("/"):
            place = place[step]


def test_the_topics_mean_what_the_description_says(described, core):
    topics = Topics(core.registry, TEMPLATES)
    carries = {}
    for name, channel in described["channels"].items():
        given = {"device": "kitchen", "metric": "temperature", "command": "7"}
        topic = re.sub(r"\{(\w+)\}", lambda m, g=given: g.get(m[1], "x"), channel["address"])
        place = topics.find(topic)
        assert place.key == "kitchen"
        carries[name] = (place.metric, place.readings, place.command)
    assert carries == {
        "readings": (None, True, None),
        "readingsData": (None, True, None),
        "value": ("temperature", True, None),
        "command": (None, False, None),
        "reply": (None, False, 7),
        "template1": ("temperature", True, None),
        "template2": (None, True, None),
    }


def test_every_example_of_readings_can_be_read_and_fits_its_schema(described):
    looked_at = 0
    for name, message in described["components"]["messages"].items():
        fits = jsonschema_rs.validator_for(message["payload"])
        for example in message["examples"]:
            payload = example["payload"]
            assert fits.is_valid(payload)
            raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
            options = {"now": NOW, "zone": UTC, "limits": Limits()}
            if name == "value":
                decode_value(raw, **options)
            elif name.startswith("readings"):
                decoded = decoder_for(message["contentType"].encode())(raw, **options)
                assert len(decoded.batch.times) > 0
            looked_at += 1
    assert looked_at > 8


@pytest.mark.parametrize(
    ("options", "mqtt", "websocket"),
    [
        ({"port": 1883}, ("mqtt", "example.org:1883"), ("wss", "example.org:8443")),
        (
            {"port": 8883, "tls": True},
            ("secure-mqtt", "example.org:8883"),
            ("wss", "example.org:8443"),
        ),
        ({"port": 1883, "host": "broker"}, ("mqtt", "broker:1883"), None),
        ({"port": 1883, "host": "::1"}, ("mqtt", "[::1]:1883"), None),
        ({"port": None}, None, None),
    ],
)
def test_servers_are_told_as_the_reader_reaches_them(options, mqtt, websocket):
    found = servers_at("https://example.org:8443/", **options)
    told = {name: (one["protocol"], one["host"]) for name, one in found.items()}
    assert told == {k: v for k, v in (("mqtt", mqtt), ("websocket", websocket)) if v}


def test_a_server_describes_itself(server):
    told = httpx.get(server.url + "/asyncapi.json", timeout=PATIENCE_SECONDS).json()
    assert told["servers"]["mqtt"]["host"] == f"localhost:{server.mqtt_port}"
    page = httpx.get(server.url + "/docs/mqtt", timeout=PATIENCE_SECONDS).text
    assert "devices/{device}/{metric}" in page
    assert f"localhost:{server.mqtt_port}" in page
    assert (
        "/docs/mqtt"
        in httpx.get(server.url + "/openapi.json", timeout=PATIENCE_SECONDS).json()["info"][
            "description"
        ]
    )


def test_without_mqtt_there_is_nothing_to_describe(serve):
    url = serve(BAROGRAPH_MQTT="false").url
    assert httpx.get(url + "/asyncapi.json", timeout=PATIENCE_SECONDS).status_code == 404
    assert httpx.get(url + "/docs/mqtt", timeout=PATIENCE_SECONDS).status_code == 404
