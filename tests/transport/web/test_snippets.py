"""What people paste to send a device's first reading."""

import tomllib

from barograph.domain.device import Device
from barograph.transport.web.snippets import MqttAddress, snippets

DEVICE = Device(7, "house/kitchen", "Kitchen")


def texts(mqtt=None, token="secret"):
    made = snippets("https://iot.example.org/", DEVICE, token, mqtt)
    return {snippet.id: snippet.text for snippet in made}


def test_every_snippet_has_the_address_the_device_and_the_token():
    for id, text in texts(MqttAddress(1884)).items():
        assert "secret" in text
        assert "{{" not in text
        named = id in {"python", "mqtt"}
        assert ("house/kitchen" if named else "/api/devices/7/data") in text
        assert "iot.example.org" in text


def test_a_token_that_is_not_at_hand_is_a_placeholder():
    assert all("YOUR_DEVICE_TOKEN" in text for text in texts(MqttAddress(1), token=None).values())


def test_mqtt_names_the_port_that_is_listened_on():
    assert "-h iot.example.org -p 1884 " in texts(MqttAddress(1884))["mqtt"]
    assert "--tls-use-os-certs" in texts(MqttAddress(8883, tls=True))["mqtt"]
    assert "mqtt" not in texts()


def test_another_broker_is_named_without_our_credentials():
    text = texts(MqttAddress(1883, host="broker.lan"))["mqtt"]
    assert "-h broker.lan " in text
    assert "secret" not in text


def test_telegraf_reads_its_snippet_as_toml():
    (output,) = tomllib.loads(texts()["telegraf"])["outputs"]["http"]
    assert output["headers"]["Authorization"] == "Bearer secret"
    assert output["json_transformation"] == '$merge([fields, {"ts": timestamp}])'


def test_python_compiles():
    for id in ("python", "micropython"):
        compile(texts()[id], id, "exec")
