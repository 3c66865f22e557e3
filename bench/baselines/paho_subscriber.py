"""What people write to get MQTT messages into a database: paho and batched inserts into SQLite.

    python bench/baselines/paho_subscriber.py PORT DATABASE MESSAGES

Takes so many messages, stores them in transactions of up to 1,000, synced, and acknowledges them
after that; prints the messages per second. With 0 it only makes the session.
"""

import json
import sqlite3
import sys
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BATCH = 1_000


def main():
    port, path, wanted = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS readings (device TEXT, metric TEXT, time INTEGER, value REAL, "
        "PRIMARY KEY (device, metric, time)) WITHOUT ROWID"
    )
    waiting = []
    subscribed = []
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2, "bench-paho", protocol=paho.MQTTv5, manual_ack=True
    )
    client.on_message = lambda _client, _data, message: waiting.append(message)
    client.on_subscribe = lambda *_: subscribed.append(True)
    kept = Properties(PacketTypes.CONNECT)
    kept.SessionExpiryInterval = 3600
    kept.ReceiveMaximum = BATCH
    client.connect("127.0.0.1", port, clean_start=False, properties=kept)
    while not client.is_connected():
        client.loop(0.1)
    begun = time.perf_counter()
    client.subscribe("paho/#", 1)
    while not subscribed:
        client.loop(0.1)
    stored = 0
    while stored < wanted:
        before = len(waiting)
        client.loop(0.001)
        if not waiting or (len(waiting) < BATCH and len(waiting) > before):
            continue
        rows = []
        for message in waiting:
            _, device, metric = message.topic.split("/")
            said = json.loads(message.payload)
            rows.append((device, metric, said["ts"], said["value"]))
        with database:
            database.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", rows)
        for message in waiting:
            client.ack(message.mid, message.qos)
        stored += len(waiting)
        waiting.clear()
    if wanted:
        print(stored / (time.perf_counter() - begun))
    client.disconnect()
    database.close()


main()
