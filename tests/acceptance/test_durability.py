"""What was acknowledged survives `kill -9`, exactly once; real processes, real connections.

Each reading's value is derived from its device, metric and time, so that a mix-up shows.
"""

import signal
import subprocess
import sys
import threading

import httpx
import msgspec
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.time import from_text

ROUNDS = 20
START = 1_750_000_000_000_000


def value_of(device, metric, time):
    return float((device * 7919 + metric * 104_729 + time // 1000) % 1_000_003)


class Sender(threading.Thread):
    """Writes to one device until its connection breaks; notes what was acknowledged."""

    def __init__(self, url, device, first):
        super().__init__()
        self.url, self.device, self.next = url, device, first
        self.sent = first
        self.acknowledged = first
        self.unexpected = []
        self.under_way = threading.Event()

    def run(self):
        with httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS) as client:
            while True:
                bulk = 1 if self.next % 3 else 50
                times = [START + (self.next + i) * 1000 for i in range(bulk)]
                body = {
                    "ts": times,
                    **{
                        f"m{metric}": [value_of(self.device, metric, time) for time in times]
                        for metric in range(2)
                    },
                }
                if bulk == 1:
                    body = {key: column[0] for key, column in body.items()}
                self.sent = self.next + bulk
                try:
                    answer = client.post(f"/api/devices/{self.device}/data", json=body)
                except httpx.TransportError:
                    return
                if answer.status_code != 201:
                    self.unexpected.append((answer.status_code, answer.text))
                    return
                self.next += bulk
                self.acknowledged = self.next
                self.under_way.set()


def stored_rows(client, device):
    answer = client.get(f"/api/devices/{device}/data", params={"format": "ndjson"})
    assert answer.status_code == 200
    return [msgspec.json.decode(line) for line in answer.content.splitlines()]


def test_what_was_acknowledged_survives_twenty_kills_exactly_once(serve):
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        devices = [client.post("/api/devices", json={"name": str(n)}).json()["id"] for n in (1, 2)]
    first = dict.fromkeys(devices, 0)
    unknown = {device: set() for device in devices}
    for round_ in range(ROUNDS):
        senders = [Sender(server.url, device, first[device]) for device in devices]
        for sender in senders:
            sender.start()
        for sender in senders:
            begun = sender.under_way.wait(PATIENCE_SECONDS)
            assert begun, ("nothing was acknowledged", sender.unexpected)
        threading.Event().wait(0.02 + 0.03 * (round_ % 7))
        server.kill()
        for sender in senders:
            sender.join()
            assert sender.unexpected == []
        server = serve()
        with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
            for sender in senders:
                check(client, sender, unknown[sender.device])
                # What was on its way when the server died is there or not.
                unknown[sender.device].update(range(sender.acknowledged, sender.sent))
                first[sender.device] = sender.sent


def check(client, sender, unknown):
    rows = stored_rows(client, sender.device)
    seen = [from_text(row["ts"]) for row in rows]
    assert seen == sorted(set(seen)), "a time is there twice"
    numbers = [(time - START) // 1000 for time in seen]
    missing = set(range(sender.acknowledged)) - set(numbers) - unknown
    assert not missing, f"lost: {sorted(missing)[:5]}"
    assert not numbers or max(numbers) < sender.sent, "a phantom"
    for row, time in zip(rows, seen, strict=True):
        for metric in range(2):
            assert row[f"m{metric}"] == value_of(sender.device, metric, time)
    summary = client.get(
        f"/api/analytics/devices/{sender.device}", params={"stats": "count,sum"}
    ).json()["metrics"]
    for metric in range(2):
        values = [row[f"m{metric}"] for row in rows]
        assert summary[f"m{metric}"] == {"count": len(values), "sum": sum(values)}


def test_sending_again_changes_nothing(server):
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        device = client.post("/api/devices", json={"name": "again"}).json()["id"]
        body = [{"ts": START + i * 1000, "x": i} for i in range(100)]
        for _ in range(3):
            answer = client.post(f"/api/devices/{device}/data", json=body)
            assert (answer.status_code, answer.json()) == (201, {"accepted": 100})
        summary = client.get(f"/api/analytics/devices/{device}").json()["metrics"]["x"]
        assert summary["count"] == 100
        assert summary["sum"] == sum(range(100))


def test_a_graceful_stop_commits_everything_and_exits_with_success(serve):
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        device = client.post("/api/devices", json={"name": "a"}).json()["id"]
        client.post(f"/api/devices/{device}/data", json={"ts": START, "x": 1})
    assert server.stop() == 0
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        assert client.get(f"/api/devices/{device}/latest").json()["metrics"]["x"]["value"] == 1


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_as_soon_as_the_server_says_that_it_listens(tmp_path, sent):
    command = [sys.executable, "-m", "barograph", "serve", "--port", "0", "--mqtt-port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert "is listening on" in process.stdout.readline()
        process.send_signal(sent)
        try:
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()
    assert not (tmp_path / "data" / "server.json").exists()


def test_a_second_server_on_the_same_data_is_refused_in_plain_words(serve, tmp_path):
    serve()
    with pytest.raises(AssertionError, match=r"barograph: .*[Aa]nother process"):
        serve()


def test_a_catalog_begun_anew_gives_nobody_the_readings_of_another(serve, tmp_path):
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        client.post("/api/devices", json={"name": "old", "key": "old"}).raise_for_status()
        body = {"ts": [1, 2, 3], "x": [1, 2, 3], "y": [4, 5, 6]}
        client.post("/api/devices/old/data", json=body).raise_for_status()
    server.stop()
    for file in (tmp_path / "data").glob("data.db*"):
        file.unlink()
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        client.post("/api/devices", json={"name": "new", "key": "new"}).raise_for_status()
        client.post("/api/devices/new/data", json={"ts": 9, "secret": 7}).raise_for_status()
        told = client.get("/api/devices/new/data").json()["data"]
    assert told == [{"ts": "1970-01-01T00:00:09Z", "secret": 7.0}]
    assert "readings of series up to number 2" in server.log.read_text()
