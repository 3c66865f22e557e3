"""What is usually put behind a broker: a paho subscriber that stores in batches.

As a careful developer would have it: QoS 1, acknowledged by the library when the message was taken
over, a thread that inserts up to 5,000 rows in one transaction, SQLite's write-ahead log synced on
commit as Barograph is, an index over device, metric and time.

    python -m bench.baselines.usual_subscriber PORT USER PASSWORD FILE
"""

import contextlib
import json
import queue
import sqlite3
import sys
import time

import paho.mqtt.client as paho

BATCH = 5_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, time REAL NOT NULL,
    value REAL NOT NULL);
CREATE INDEX IF NOT EXISTS readings_of_device ON readings (device, metric, time);
"""


def run(port, username, password, file):
    rows = queue.Queue(100_000)

    def take(_client, _userdata, message):
        device = message.topic.split("/")[1]
        now = time.time()
        for metric, value in json.loads(message.payload).items():
            rows.put((device, metric, now, value))

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "subscriber")
    client.username_pw_set(username, password)
    client.on_message = take
    client.on_connect = lambda *_: client.subscribe("devices/#", 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    database = sqlite3.connect(file)
    database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {SCHEMA}")
    while True:
        batch = [rows.get()]
        while len(batch) < BATCH and not rows.empty():
            batch.append(rows.get())
        with database:
            database.executemany(
                "INSERT INTO readings (device, metric, time, value) VALUES (?, ?, ?, ?)", batch
            )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run(int(sys.argv[1]), *sys.argv[2:5])
