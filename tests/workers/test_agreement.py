"""What one process has acknowledged, the other one knows."""

import contextlib
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.waiting import until

names = (f"n{number}" for number in itertools.count())


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def somebody():
    name = next(names)
    return {"username": name, "email": f"{name}@example.org", "password": "correct horse battery"}


def make_device(client, **given):
    return ok(client.post("/api/devices", json={"name": next(names), **given}), 201)


def write(client, device, body, token=None):
    headers = {"Authorization": f"Bearer {token or device['token']}"}
    return client.post(f"/api/devices/{device['key']}/data", json=body, headers=headers)


@pytest.mark.parametrize("first", [0, 1])
def test_a_new_device_writes_to_the_other_process_at_once(pair, first):
    for _ in range(5):
        device = make_device(pair[first])
        ok(write(pair[1 - first], device, {"x": 1}), 201)


@pytest.mark.parametrize("first", [0, 1])
def test_a_reading_is_seen_at_the_other_process_at_once(pair, first):
    here, there = pair[first], pair[1 - first]
    device = make_device(here)
    for n in range(5):
        ok(write(here, device, {"x": n, f"new{n}": n}), 201)
        newest = ok(there.get(f"/api/devices/{device['key']}/latest"))["metrics"]
        assert (newest["x"]["value"], newest[f"new{n}"]["value"]) == (n, n)
        summary = ok(there.get(f"/api/analytics/devices/{device['id']}"))["metrics"]
        assert (summary["x"]["count"], summary["x"]["max"]) == (n + 1, n)


def test_a_new_metric_that_both_hear_of_at_once_is_one_series(pair):
    device = make_device(pair[0])

    def send(n):
        return write(pair[n % 2], device, [{"ts": 1_000 + n, "m": n}])

    with ThreadPoolExecutor(2) as threads:
        for n in range(10):
            for answer in threads.map(send, (2 * n, 2 * n + 1)):
                ok(answer, 201)
    for client in pair:
        found = ok(client.get(f"/api/analytics/devices/{device['id']}"))["metrics"]["m"]
        assert (found["count"], found["sum"]) == (20, sum(range(20)))


def test_a_name_that_two_temperature_devices_want_at_once_is_one_ones(pair):
    email = f"{next(names)}@example.org"
    ok(pair[0].post("/users", json={"command": "reg", "params": email}), 201)

    def register(n):
        params = {"name": str(n // 4), "user": email}
        return pair[n % 2].post("/devices", json={"command": "reg", "params": params})

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(register, range(40)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [400] * 30


@pytest.mark.parametrize("first", [0, 1])
def test_a_revoked_token_is_refused_by_both(pair, first):
    here, there = pair[first], pair[1 - first]
    user = ok(here.post("/api/users", json=somebody()), 201)
    path = f"/api/users/{user['id']}/tokens"
    token = ok(here.post(path, json={"name": "t"}), 201)
    bearer = {"Authorization": f"Bearer {token['token']}"}
    ok(there.get("/api/users/me", headers=bearer))
    ok(there.get("/api/devices", headers=bearer))
    assert here.delete(f"{path}/{token['id']}").status_code == 204
    # What reads asks first.
    assert there.get("/api/devices", headers=bearer).status_code == 401


@pytest.mark.parametrize("first", [0, 1])
def test_a_replaced_device_token_soon_writes_nowhere(pair, first):
    here, there = pair[first], pair[1 - first]
    device = make_device(here)
    ok(write(there, device, {"x": 1}), 201)
    fresh = ok(here.post(f"/api/devices/{device['id']}/token"))["token"]
    ok(write(there, device, {"x": 2}, token=fresh), 201)
    # A small write does not ask, and hears of it when its process looks next.
    until(lambda: write(there, device, {"x": 3}).status_code == 401)


def test_devices_that_are_changed_or_removed_are_so_for_both(pair):
    device = make_device(pair[0])
    ok(pair[1].get(f"/api/devices/{device['key']}"))
    ok(pair[0].patch(f"/api/devices/{device['id']}", json={"name": "changed", "key": next(names)}))
    assert pair[1].get(f"/api/devices/{device['key']}").status_code == 404
    assert ok(pair[1].get(f"/api/devices/{device['id']}"))["name"] == "changed"
    assert pair[1].delete(f"/api/devices/{device['id']}").status_code in {200, 204}
    assert pair[0].get(f"/api/devices/{device['id']}").status_code == 404


def test_failed_sign_ins_are_counted_together(pair):
    user = somebody()
    ok(pair[0].post("/api/users", json=user), 201)
    wrong = {**user, "password": "not the right one"}
    began = time.monotonic()
    answers = [
        pair[n % 2].post("/auth", json=wrong, headers={"Authorization": ""}).status_code
        for n in range(14)
    ]
    given_back = int((time.monotonic() - began) // 20)  # one each 20 seconds
    assert set(answers) == {401, 429}
    assert 10 <= answers.count(401) <= 10 + given_back


def test_a_session_of_one_process_is_good_at_the_other(pair):
    user = somebody()
    ok(pair[0].post("/api/users", json=user), 201)
    signed_in = ok(pair[1].post("/auth", json=user))
    bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
    assert ok(pair[0].get("/api/users/me", headers=bearer))["username"] == user["username"]


class Watching:
    """A live stream: the events as they come."""

    def __init__(self, lines):
        self._lines = lines

    def events(self, count):
        """The next `count` events, as (kind, id, data)."""
        found, kind, number = [], None, None
        while len(found) < count:
            name, _, value = next(self._lines).partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                number = int(value)
            elif name == "data":
                found.append((kind, number, json.loads(value)))
        return found


@contextlib.contextmanager
def watching(server, number, device, **headers):
    """A stream at the process of that number."""
    # A connection of its own, for it does not end: made until the right process has it.
    clients = server.each()
    client = clients[number]
    try:
        path = f"/api/live?device={device['id']}"
        with client.stream("GET", path, headers=headers) as answer:
            lines = answer.iter_lines()
            next(lines)
            yield Watching(lines)
    finally:
        for one in clients:
            one.close()


def test_what_any_process_commits_is_told_by_all_in_one_order(server, pair):
    device = make_device(pair[0])
    with watching(server, 0, device) as first, watching(server, 1, device) as second:
        for n in range(20):
            ok(write(pair[n % 2], device, {"x": n}), 201)
        told = first.events(20)
        assert told == second.events(20)
    assert {kind for kind, _, _ in told} == {"reading"}
    assert sorted(data["value"] for _, _, data in told) == list(range(20))
    assert [number for _, number, _ in told] == sorted(number for _, number, _ in told)


def test_a_stream_goes_on_at_the_other_process_after_its_last_event(server, pair):
    device = make_device(pair[0])
    with watching(server, 0, device) as stream:
        for n in range(4):
            ok(write(pair[0], device, {"x": n}), 201)
        told = stream.events(4)
    last = str(told[1][1])
    with watching(server, 1, device, **{"Last-Event-ID": last}) as stream:
        ok(write(pair[0], device, {"x": 4}), 201)
        again = stream.events(3)
    assert again[:2] == told[2:]
    assert again[2][2]["value"] == 4


def test_texts_are_told_by_the_other_process_too(server, pair):
    device = make_device(pair[0])
    with watching(server, 1, device) as stream:
        ok(write(pair[0], device, {"state": "open, über 9", "x": 1.5}), 201)
        told = {data["metric"]: data["value"] for _, _, data in stream.events(2)}
    assert told == {"state": "open, über 9", "x": 1.5}
