"""Messages per second from Mosquitto into the store, QoS 1: the bridge beside what people write.

    python -m bench mqtt_bridge [--rounds 3] [--messages 100000]

Mosquitto holds so many small JSON messages for a session that is away; then its client comes and
takes them, acknowledging what it has stored and synced. The client is Barograph, or the script that
is usual for this: paho and batched inserts into SQLite (`baselines/paho_subscriber.py`). Both are
told apart by their session, take turns, and speak MQTT 5.0 with 1,000 messages in flight.
"""

import argparse
import contextlib
import json
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from barograph.mqtt import MqttLimits
from barograph.mqtt.client import Client
from barograph.mqtt.client_tables import ClientState
from barograph.mqtt.packets import V5, Connect
from bench.processes import barograph, free_port

START = 1_750_000_000
DEVICES = 20
IN_FLIGHT = 1_000


@contextlib.contextmanager
def mosquitto(directory):
    """A broker that keeps what it has; gives its port and its process."""
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        f"max_inflight_messages {IN_FLIGHT}\n"
    )
    process = subprocess.Popen(["mosquitto", "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.02)
        yield port, process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def fill(port, prefix, first, count):
    """Publish the messages from number `first` on, and wait until Mosquitto has them."""
    client = Client(MqttLimits(inflight_max=IN_FLIGHT, queued_messages_max=2 * IN_FLIGHT))
    with socket.create_connection(("127.0.0.1", port)) as connected:
        client.open(Connect(V5, "bench-publisher", True, 0), 0.0)
        number, last = first, first + count
        while number < last or client.unconfirmed:
            while (
                client.state is ClientState.OPEN
                and number < last
                and client.unconfirmed < IN_FLIGHT
            ):
                payload = b'{"ts":%d,"value":%d.5}' % (START + number, number % 100)
                client.publish(f"{prefix}/bench-{number % DEVICES}/x", payload, 0.0, qos=1)
                number += 1
            connected.sendall(client.take(0.0))
            client.feed(connected.recv(1 << 16), 0.0)


def by_barograph(directory, broker, first, count):
    """Messages per second of the bridge.

    Mosquitto is stopped until the server is up, so that its start is not measured.
    """
    port, process = broker
    environment = {"BAROGRAPH_MQTT_BRIDGE": f"mqtt://127.0.0.1:{port}"}
    with barograph(directory, environment) as server:
        until_connected(server)
        for n in range(DEVICES):
            ask(server, "/api/devices", {"key": f"bench-{n}", "name": f"bench-{n}"})
    fill(port, "devices", first, count)
    process.send_signal(signal.SIGSTOP)
    with barograph(directory, environment) as server:
        committed(server)  # after which all of it is there that is made when first asked for
        process.send_signal(signal.SIGCONT)
        begun = time.perf_counter()
        while committed(server) < count:
            time.sleep(0.1)
        return count / (time.perf_counter() - begun)


def by_script(directory, broker, first, count):
    """Messages per second of paho and SQLite, by its own clock: from its connection on."""
    port, _ = broker
    command = [
        sys.executable,
        str(Path(__file__).parent / "baselines" / "paho_subscriber.py"),
        str(port),
        str(directory / "readings.db"),
    ]
    subprocess.run([*command, "0"], check=True)
    fill(port, "paho", first, count)
    done = subprocess.run([*command, str(count)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def ask(server, path, body=None):
    """What the server answers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data, headers)
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as answer:
        return answer.read().decode()
    return ""


def until_connected(server):
    while '"connected"' not in ask(server, "/readyz"):
        time.sleep(0.05)


def committed(server):
    """Readings stored since the server started."""
    found = re.search(r"\nbarograph_readings_committed_total (\S+)", ask(server, "/metrics"))
    return float(found[1])


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--messages", type=int, default=100_000)
    given = options.parse_args()
    rates = {"barograph": [], "paho and SQLite": []}
    with tempfile.TemporaryDirectory() as directory, mosquitto(Path(directory)) as broker:
        for turn in range(given.rounds):
            first = turn * given.messages
            for name, run in (("barograph", by_barograph), ("paho and SQLite", by_script)):
                place = Path(directory) / name
                place.mkdir(exist_ok=True)
                rates[name].append(run(place, broker, first, given.messages))
                print(f"{turn + 1}. {name:16} {rates[name][-1]:10,.0f} messages/s", flush=True)
    ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
    print(f"ratio (median of {given.rounds}): {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
