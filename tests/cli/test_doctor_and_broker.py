"""`barograph doctor` on an installation that is a client of an external MQTT broker."""

import os
import re
import socket
import threading

import pytest
import trustme
from tests.acceptance.brokers import Mosquitto, missing
from tests.waiting import free_port


@pytest.fixture
def examined(barograph, tmp_path):
    """What the doctor says of a broker, in one line."""

    def examine(url, **settings):
        lines = {"port": 0, "mqtt_bridge": url, **settings}
        file = tmp_path / "barograph.toml"
        file.write_text("".join(f"{name} = {value!r}\n" for name, value in lines.items()))
        ran = barograph("doctor", "--config", file, "--data-dir", tmp_path / "data")
        (said,) = re.findall(r"MQTT broker +((?:ok|wrong).*?)(?=\nclock)", ran.out, re.DOTALL)
        return " ".join(said.split())

    return examine


@pytest.fixture
def make_mosquitto(tmp_path):
    if problem := missing("mosquitto"):
        assert os.environ.get("CI") != "true", problem
        pytest.skip(problem)
    made = []

    def make(**options):
        made.append(Mosquitto(tmp_path / f"mosquitto-{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_broker_that_lets_us_in_is_well(examined, make_mosquitto):
    broker = make_mosquitto()
    assert examined(broker.url) == f"ok mqtt://127.0.0.1:{broker.port} lets us in (MQTT 5.0)"


def test_a_wrong_password_is_told_without_repeating_it(examined, make_mosquitto):
    broker = make_mosquitto()
    said = examined(broker.url.replace(broker.password, "wrong-one"))
    assert "does not accept the user 'barograph'" in said
    assert "mqtt://user:password@host" in said
    assert "wrong-one" not in said
    said = examined(f"mqtt://127.0.0.1:{broker.port}")
    assert "does not accept a client without a user" in said


def test_a_broker_that_is_not_there_is_told(examined):
    said = examined(f"mqtt://127.0.0.1:{free_port()}")
    assert said.startswith("wrong")
    assert "see that it runs" in said


def test_certificates_are_looked_at(examined, make_mosquitto, tmp_path):
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = (f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem")
    broker = make_mosquitto(tls=tls)
    url = broker.url.replace("mqtt://", "mqtts://")
    assert examined(url, mqtt_bridge_ca=str(tmp_path / "ca.pem")).startswith("ok")
    assert "mqtt_bridge_ca" in examined(url)
    assert "no certificate in PEM" in examined(url, mqtt_bridge_ca=str(tmp_path / "key.pem"))
    plain = make_mosquitto()
    assert "is its port" not in examined(plain.url)
    assert "no TLS there" in examined(plain.url.replace("mqtt://", "mqtts://"))


def test_a_subscription_that_is_refused_is_named(examined, server, client):
    token = client.create_device("One", key="one").token
    said = examined(f"mqtt://one:{token}@127.0.0.1:{server.mqtt_port}")
    assert "it refuses the subscription to devices/#" in said
    assert "let the user of mqtt_bridge read devices/# there" in said


def test_a_broker_without_5_0_is_spoken_to_in_3_1_1(examined):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        levels = []

        def serve():
            for _ in range(2):
                opened, _ = listening.accept()
                with opened:
                    levels.append(opened.recv(1000)[8])
                    if levels[-1] == 4:
                        opened.sendall(b"\x20\x02\x00\x00")
                        asked = opened.recv(1000)
                        opened.sendall(b"\x90\x03" + asked[2:4] + b"\x00")
                        opened.recv(1000)

        serving = threading.Thread(target=serve)
        serving.start()
        said = examined(f"mqtt://127.0.0.1:{listening.getsockname()[1]}")
        serving.join()
    assert levels == [5, 4]
    assert said.endswith("lets us in (MQTT 3.1.1)")


def test_a_port_of_something_else_is_told(examined):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for _ in range(2):
                opened, _ = listening.accept()
                with opened:
                    opened.recv(1000)

        serving = threading.Thread(target=serve)
        serving.start()
        said = examined(f"mqtt://127.0.0.1:{listening.getsockname()[1]}")
        serving.join()
    assert "it closes the connection: is this the port of MQTT?" in said
