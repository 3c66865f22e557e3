"""What MQTT promises, held by the clients that people use: each behaviour by each client."""

import itertools
import os

import httpx
import pytest
import trustme
from tests.acceptance.mqtt_clients import CLIENTS, V3, V5, Plan, install_mqtt_js, missing
from tests.conftest import Server
from tests.waiting import PATIENCE_SECONDS

_names = itertools.count(1)

WAYS = [
    pytest.param((client, version, transport), id=f"{client}-{name}-{transport}")
    for client, driver in CLIENTS.items()
    for version, name in ((V3, "3.1.1"), (V5, "5.0"))
    for transport in driver.transports
]
EVERYBODY = [one for one in WAYS if one.id.endswith("tcp")]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Vouches for the server; (itself, its certificate's path)."""
    made, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(path)
    return made, path


@pytest.fixture(scope="module")
def server(tmp_path_factory, authority):
    """A server with everything on, where everything needs a credential."""
    directory = tmp_path_factory.mktemp("server")
    certificate = authority[0].issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    server = Server(
        directory,
        *("--auth", "required"),
        BAROGRAPH_MQTT_TLS_CERTIFICATE=str(directory / "certificate.pem"),
        BAROGRAPH_MQTT_TLS_KEY=str(directory / "key.pem"),
        BAROGRAPH_MQTT_TLS_PORT="0",
    )
    yield server
    assert server.stop() == 0, server.log.read_text()


@pytest.fixture(scope="module")
def available(tmp_path_factory):
    """Skips what needs a client that cannot be had here; fetches MQTT.js once."""
    fetched = []

    def check(client):
        reason = missing(client)
        if reason is None and client == "mqtt.js":
            if not fetched:
                fetched.append(install_mqtt_js(tmp_path_factory.mktemp("mqtt-js")))
            reason = fetched[0]
        if reason is not None:
            assert not os.environ.get("CI"), reason
            pytest.skip(reason)

    return check


@pytest.fixture(params=EVERYBODY)
def who(request, available):
    available(request.param[0])
    return request.param


@pytest.fixture(params=WAYS)
def way(request, available):
    available(request.param[0])
    return request.param


class Place:
    """A device of one test, and the clients that work on it."""

    def __init__(self, server, authority):
        self.server, self._authority = server, authority
        self.key = f"device-{next(_names)}"
        made = self.ask("POST", "/api/devices", json={"name": self.key, "key": self.key})
        self._token = made["token"]
        self.parties = []

    def ask(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.server.token}"}
        answer = httpx.request(
            method, self.server.url + path, headers=headers, **more, timeout=PATIENCE_SECONDS
        )
        assert answer.is_success, answer.text
        return answer.json()

    def readings(self):
        """The device's, as (metric, value)."""
        rows = self.ask("GET", f"/api/devices/{self.key}/data")["data"]
        return sorted((name, row[name]) for row in rows for name in row if name != "ts")

    def join(self, way, **more):
        client, version, transport = way
        ports = {
            "tcp": self.server.mqtt_port,
            "tls": self.server.mqtt_tls_port,
            "websocket": int(self.server.url.rpartition(":")[2]),
        }
        plan = Plan(
            ports[transport],
            version,
            transport,
            self._authority,
            username=self.key,
            password=self._token,
            **more,
        )
        self.parties.append(CLIENTS[client](plan))
        return self.parties[-1]

    def leave(self, party):
        self.parties.remove(party)
        party.leave()

    def break_off(self, party):
        self.parties.remove(party)
        party.break_off()


@pytest.fixture
def place(server, authority):
    place = Place(server, authority[1])
    yield place
    for party in place.parties:
        party.leave()


OTHER = ("paho", V5, "tcp")
"""The far side, where a behaviour has two."""


def test_a_message_is_stored_and_comes_to_subscribers(place, way):
    party = place.join(way)
    party.subscribe(f"devices/{place.key}/#", 1)
    party.publish(f"devices/{place.key}/x", "21.5", 1)
    assert party.message() == (f"devices/{place.key}/x", "21.5", 1, False)
    assert place.readings() == [("x", 21.5)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_qos_brings_each_message_once(place, who, qos):
    party = place.join(who)
    party.subscribe(f"devices/{place.key}/x", qos)
    for i in range(5):
        party.publish(f"devices/{place.key}/x", f"{i}", qos)
    got = [party.message() for _ in range(5)]
    if qos == 0 and who[0] == "mosquitto":  # a connection each: nothing orders them
        got.sort()
    assert got == [(f"devices/{place.key}/x", f"{i}", qos, False) for i in range(5)]
    assert place.readings() == [("x", float(i)) for i in range(5)]


def test_a_retained_message_waits_for_who_comes_later(place, who):
    first = place.join(who)
    first.publish(f"devices/{place.key}/x", "1", 1, retain=True)
    later = place.join(who)
    later.subscribe(f"devices/{place.key}/+", 1)
    assert later.message() == (f"devices/{place.key}/x", "1", 1, True)
    first.publish(f"devices/{place.key}/x", "2", 1, retain=True)
    assert later.message() == (f"devices/{place.key}/x", "2", 1, False)


def test_the_will_of_a_client_that_breaks_off_is_published_and_stored(place, who):
    other = place.join(OTHER)
    other.subscribe(f"devices/{place.key}/gone", 1)
    party = place.join(who, will=(f"devices/{place.key}/gone", "1", 1, False))
    party.subscribe(f"devices/{place.key}/y", 0)
    place.break_off(party)
    assert other.message() == (f"devices/{place.key}/gone", "1", 1, False)
    other.publish(f"devices/{place.key}/x", "2", 1)
    assert place.readings() == [("gone", 1.0), ("x", 2.0)]


def test_the_will_of_a_client_that_says_goodbye_is_not(place, who):
    other = place.join(OTHER)
    other.subscribe(f"devices/{place.key}/#", 1)
    party = place.join(who, will=(f"devices/{place.key}/gone", "1", 1, False))
    party.subscribe(f"devices/{place.key}/y", 0)
    place.leave(party)
    if who[:2] == ("mosquitto", V5):  # it disconnects with the reason 0x04, "with will message"
        assert other.message() == (f"devices/{place.key}/gone", "1", 1, False)
    other.publish(f"devices/{place.key}/x", "2", 1)
    assert other.message() == (f"devices/{place.key}/x", "2", 1, False)


def test_a_session_keeps_messages_while_its_client_is_away(place, who):
    other = place.join(OTHER)
    kept = {"client_id": f"kept-{place.key}", "clean": False}
    party = place.join(who, **kept)
    assert party.session_present in {False, None}
    party.subscribe(f"devices/{place.key}/x", 1)
    place.break_off(party)
    for i in range(3):
        other.publish(f"devices/{place.key}/x", f"{i}", 1)
    again = place.join(who, **kept)
    assert again.session_present in {True, None}
    if who[0] == "mosquitto":  # its client cannot but subscribe
        again.subscribe(f"devices/{place.key}/x", 1)
    assert [again.message()[1] for _ in range(3)] == ["0", "1", "2"]
