"""How many publishes the MQTT engine takes in per second on one core, without a socket.

    python bench/mqtt_engine.py [--seconds 1.0] [--payload 16]

Small payloads on 20 topics, in reads of 64 KiB: parsed into batches, acknowledged in one go each,
answers collected. The engine only: no decoding of payloads, no storage.
"""

import argparse
import time

from barograph.mqtt import Broker, Connection, MqttLimits
from barograph.mqtt.encode import encode
from barograph.mqtt.packets import V3, V5, Connect, Publish

READ_BYTES = 64 * 1024


class Everything:
    """Everybody may do everything."""

    may_publish = may_subscribe = may_receive = staticmethod(lambda *_: True)


def stream(version, qos, payload_bytes):
    """A cycle of packets: their bytes, and how many."""
    packets = [
        encode(
            Publish(
                f"devices/device-{i % 20:03d}/data",
                b"x" * payload_bytes,
                qos=qos,
                packet_id=i + 1 if qos else 0,
            ),
            version,
        )
        for i in range(20_000)
    ]
    return b"".join(packets), len(packets)


def run(version, qos, payload_bytes, seconds):
    """Publishes per second."""
    broker = Broker(Everything(), MqttLimits(receive_maximum=65_535))
    connection = Connection(broker, 0.0)
    connection.feed(encode(Connect(version, "bench", True, 0), version), 0.0)
    connection.accept("bench", 0.0)
    data, count = stream(version, qos, payload_bytes)
    reads = [data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES)]
    done = answered = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for read in reads:
            for batch in connection.feed(read, 0.0):
                connection.acknowledge(batch, 0.0)
            effects = broker.take(0.0)
            while effects is not None:
                answered += sum(len(one.data) for one in effects.outputs)
                effects = broker.take(0.0)
        done += count
    elapsed = time.perf_counter() - start
    assert not qos or answered >= done * 4
    return done / elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line")
    parser.add_argument("--payload", type=int, default=16, help="bytes of payload")
    arguments = parser.parse_args()
    for version, name in ((V3, "3.1.1"), (V5, "5.0")):
        for qos in (0, 1):
            rate = run(version, qos, arguments.payload, arguments.seconds)
            print(f"MQTT {name} QoS {qos}: {rate:>12,.0f} publishes/s")


if __name__ == "__main__":
    main()
