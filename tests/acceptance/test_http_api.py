"""Our HTTP API as its users have it, sentence by sentence, on real servers."""

import gzip
import itertools
import json
import re
import time
from contextlib import closing

import duckdb
import httpx
import pytest
import zstandard
from tests.waiting import PATIENCE_SECONDS, until

START = 1_750_000_000
STARTED = "2025-06-15T15:06:40Z"  # the same moment
PASSWORD = "seven-Cranes-over-Oslo"
FORMS = ["Bearer {}", "JWT {}", "Token {}", "{}"]

_numbers = itertools.count(1)


def unique(prefix):
    return f"{prefix}-{next(_numbers)}"


@pytest.fixture(scope="module")
def client(server):
    """Somebody on the server's own machine, who needs no credential."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def stranger(guarded):
    with httpx.Client(base_url=guarded.url, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def administrator(guarded):
    with bearing(guarded, guarded.token) as client:
        yield client


@pytest.fixture
def device(client):
    answer = client.post("/api/devices/", json={"name": unique("device")})
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture
def write(client, device):
    def write(content=None, *, status=201, type="application/json", params=None, **more):
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        headers = {"Content-Type": type, **more}
        path = f"/api/devices/{device['id']}/data"
        answer = client.post(path, content=content, headers=headers, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    return write


@pytest.fixture
def read(client, device):
    def read(**params):
        answer = client.get(f"/api/devices/{device['id']}/data", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return read


def bearing(server, credential):
    headers = {"Authorization": f"Bearer {credential}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE_SECONDS)


def register(client, **more):
    name = unique("user")
    answer = client.post(
        "/api/users/", json={"username": name, "email": f"{name}@example.org", **more}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def problem(answer, status):
    """The problem document that `answer` must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    for member in ("type", "title", "detail"):
        assert isinstance(document[member], str)
        assert document[member]
    for one in document.get("errors", []):
        assert isinstance(one["at"], str)
        assert one["message"]
    return document


# In general


@pytest.mark.parametrize("path", ["/api/users", "/api/devices", "/api/assets", "/api/jobs"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_trailing_slash_is_ignored(client, path, slash):
    answer = client.get(path + slash)
    assert answer.status_code == 200
    assert isinstance(answer.json()["items"], list)


def test_a_trailing_slash_is_ignored_where_readings_go_in_and_out(client, device):
    path = f"/api/devices/{device['id']}"
    assert client.post(f"{path}/data/", json={"x": 1}).status_code == 201
    for below in ("/", "/data/", "/latest/"):
        assert client.get(path + below).status_code == 200
    assert client.get(f"/api/analytics/devices/{device['id']}/").status_code == 200
    assert client.get("/api/latest/").status_code == 200
    assert client.get("/healthz/").status_code == 200
    assert client.post("/auth/", json={"username": "no", "password": "body"}).status_code == 401


def test_the_documentation_and_the_schema_are_served(client):
    assert "html" in client.get("/docs").headers["content-type"]
    schema = client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.")
    paths = {path.rstrip("/") for path in schema["paths"]}
    assert {"/auth", "/api/users/me", "/api/latest", "/api/live", "/healthz"} <= paths


@pytest.mark.parametrize(
    "path",
    ["/api/nothing", "/api/devices/987654", "/api/users/987654", "/api/users/ann", "/api/jobs/one"],
)
def test_what_is_not_there_is_a_404_problem(client, path):
    problem(client.get(path), 404)


def test_a_method_that_a_path_does_not_have_is_a_405_problem(client):
    problem(client.put("/api/devices/"), 405)


def test_ids_are_integers_and_may_be_given_as_strings(client):
    user = register(client)
    assert type(user["id"]) is int
    asset = client.post("/api/assets", json={"kind": "car", "name": unique("a")}).json()
    body = {"name": "x", "user_id": str(user["id"]), "asset_id": str(asset["id"])}
    made = client.post("/api/devices/", json=body)
    assert made.status_code == 201
    assert (made.json()["user_id"], made.json()["asset_id"]) == (user["id"], asset["id"])
    job = client.post("/api/analytics/jobs", json={"device": str(made.json()["id"])})
    assert job.status_code == 202


def test_a_device_is_found_by_its_key_and_its_id(client):
    key = "Fridge:" + unique("2/a.b_c-d")
    made = client.post("/api/devices/", json={"name": "fridge", "key": key}).json()
    assert made["key"] == key
    assert client.post(f"/api/devices/{key}/data", json={"x": 4.0}).status_code == 201
    for ref in (key, key.replace("/", "%2F"), made["id"]):
        assert client.get(f"/api/devices/{ref}").json()["id"] == made["id"]
        assert client.get(f"/api/devices/{ref}/data").json()["data"][0]["x"] == 4.0
        assert client.get(f"/api/devices/{ref}/latest").json()["metrics"]["x"]["value"] == 4.0
        summary = client.get(f"/api/analytics/devices/{ref}").json()
        assert summary["device_id"] == made["id"]


def test_a_device_without_a_key_gets_one(device):
    assert isinstance(device["key"], str)
    assert device["key"]


@pytest.mark.parametrize("key", ["", "-x", "a b", "é", "x" * 129])
def test_a_key_of_other_characters_is_refused(client, key):
    document = problem(client.post("/api/devices/", json={"name": "x", "key": key}), 422)
    assert document["errors"][0]["at"] == "key"


def test_a_key_is_unique(client):
    key = unique("K")
    assert client.post("/api/devices/", json={"name": "x", "key": key}).status_code == 201
    problem(client.post("/api/devices/", json={"name": "y", "key": key}), 409)


# Credentials


@pytest.mark.parametrize("form", FORMS)
def test_an_api_token_is_accepted_in_every_form(stranger, administrator, form):
    user = register(administrator)
    answer = stranger.get("/api/users/me", headers={"Authorization": form.format(user["token"])})
    assert answer.json()["id"] == user["id"]


@pytest.mark.parametrize("form", FORMS)
def test_an_access_token_is_accepted_in_every_form(stranger, form):
    user = register(stranger, password=PASSWORD)
    signed_in = stranger.post(
        "/auth", json={"username": user["username"], "password": PASSWORD}
    ).json()
    assert signed_in["token_type"] == "Bearer"
    assert signed_in["expires_in"] > 0
    assert signed_in["access_token"].count(".") == 2
    header = {"Authorization": form.format(signed_in["access_token"])}
    assert stranger.get("/api/users/me", headers=header).json()["id"] == user["id"]


@pytest.mark.parametrize("form", FORMS)
def test_a_device_token_is_accepted_in_every_form(stranger, administrator, form):
    made = administrator.post("/api/devices/", json={"name": "x"}).json()
    header = {"Authorization": form.format(made["token"])}
    path = f"/api/devices/{made['id']}/data"
    assert stranger.post(path, json={"x": 1}, headers=header).status_code == 201
    assert len(stranger.get(path, headers=header).json()["data"]) == 1


def test_a_device_token_reads_and_writes_its_own_device_only(guarded, administrator):
    mine, other = (administrator.post("/api/devices/", json={"name": n}).json() for n in "ab")
    with bearing(guarded, mine["token"]) as device:
        assert device.get(f"/api/devices/{mine['id']}").status_code == 200
        assert device.get(f"/api/devices/{mine['key']}/latest").status_code == 200
        assert device.get(f"/api/analytics/devices/{mine['id']}").status_code == 200
        assert [one["device_id"] for one in device.get("/api/latest").json()] == [mine["id"]]
        for below in ("", "/data", "/latest"):
            problem(device.get(f"/api/devices/{other['id']}{below}"), 403)
        problem(device.post(f"/api/devices/{other['id']}/data", json={"x": 1}), 403)
        problem(device.get(f"/api/analytics/devices/{other['id']}"), 403)
        problem(device.post("/api/devices/", json={"name": "x"}), 403)
        problem(device.get("/api/users/"), 403)
        problem(device.post(f"/api/devices/{mine['id']}/token"), 403)
        problem(device.delete(f"/api/devices/{mine['id']}"), 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users/me"),
        ("GET", "/api/users/"),
        ("PATCH", "/api/users/1"),
        ("DELETE", "/api/users/1"),
        ("POST", "/api/devices/"),
        ("GET", "/api/devices/"),
        ("GET", "/api/devices/1"),
        ("PATCH", "/api/devices/1"),
        ("DELETE", "/api/devices/1"),
        ("POST", "/api/devices/1/token"),
        ("POST", "/api/devices/1/data"),
        ("GET", "/api/devices/1/data"),
        ("DELETE", "/api/devices/1/data"),
        ("GET", "/api/devices/1/latest"),
        ("GET", "/api/latest"),
        ("GET", "/api/analytics/devices/1"),
        ("GET", "/api/analytics/users/1"),
        ("POST", "/api/analytics/jobs"),
        ("GET", "/api/jobs/"),
        ("GET", "/api/jobs/1"),
        ("DELETE", "/api/jobs/1"),
        ("GET", "/api/live"),
        ("GET", "/api/assets"),
        ("POST", "/api/assets"),
        ("GET", "/api/assets/1"),
        ("PATCH", "/api/assets/1"),
        ("DELETE", "/api/assets/1"),
    ],
)
def test_without_a_valid_credential_the_answer_is_401(stranger, method, path):
    body = {"json": {"name": "x"}} if method in {"POST", "PATCH"} else {}
    answer = stranger.request(method, path, **body)
    problem(answer, 401)
    assert "www-authenticate" in answer.headers
    wrong = {"Authorization": "Bearer " + "x" * 20}
    problem(stranger.request(method, path, headers=wrong, **body), 401)


def test_another_users_things_are_404_and_an_administrators_call_is_403(guarded, stranger):
    ann, bob = register(stranger), register(stranger)
    with bearing(guarded, ann["token"]) as anns, bearing(guarded, bob["token"]) as bobs:
        made = anns.post("/api/devices/", json={"name": "anns"}).json()
        assert made["user_id"] == ann["id"]
        path = f"/api/devices/{made['id']}"
        job = anns.post("/api/analytics/jobs", json={"device": made["id"]}).json()["id"]
        for below in ("", "/data", "/latest"):
            problem(bobs.get(path + below), 404)
        problem(bobs.post(f"{path}/data", json={"x": 1}), 404)
        problem(bobs.delete(f"{path}/data"), 404)
        problem(bobs.patch(path, json={"name": "bobs"}), 404)
        problem(bobs.delete(path), 404)
        problem(bobs.post(f"{path}/token"), 404)
        problem(bobs.get(f"/api/analytics/devices/{made['id']}"), 404)
        problem(bobs.get(f"/api/analytics/users/{ann['id']}"), 404)
        problem(bobs.get(f"/api/users/{ann['id']}"), 404)
        problem(bobs.patch(f"/api/users/{ann['id']}", json={"email": "b@example.org"}), 404)
        problem(bobs.delete(f"/api/users/{ann['id']}"), 404)
        problem(bobs.get(f"/api/jobs/{job}"), 404)
        problem(bobs.delete(f"/api/jobs/{job}"), 404)
        problem(bobs.get("/api/live", params={"device": made["id"]}), 404)
        problem(bobs.get("/api/users/"), 403)
        assert bobs.get("/api/latest").json() == []
        assert bobs.get("/api/devices/").json()["items"] == []
        assert [one["id"] for one in anns.get("/api/devices/").json()["items"]] == [made["id"]]


def test_registration_is_open_by_default_and_makes_members_only(guarded, stranger):
    name = unique("user")
    body = {"username": name, "email": f"{name}@example.org"}
    problem(stranger.post("/api/users/", json={**body, "role": "admin"}), 403)
    user = register(stranger)
    with bearing(guarded, user["token"]) as client:
        assert client.get("/api/users/me").json()["role"] == "member"
        problem(client.get("/api/users/"), 403)


def test_registration_can_be_closed_to_all_but_administrators(serve):
    server = serve("--auth", "required", BAROGRAPH_REGISTRATION="closed")
    body = {"username": "ann", "email": "ann@example.org"}
    problem(httpx.post(server.url + "/api/users/", json=body, timeout=PATIENCE_SECONDS), 403)
    with bearing(server, server.token) as operator:
        assert operator.post("/api/users/", json=body).status_code == 201


# Users


def test_registering_answers_with_the_id_and_the_token(client):
    user = register(client)
    assert {"id", "username", "email", "token"} <= user.keys()
    assert len(user["token"]) >= 20


def test_a_taken_name_or_address_is_409(client):
    user = register(client)
    same_name = {"username": user["username"], "email": "other@example.org"}
    same_address = {"username": unique("user"), "email": user["email"]}
    problem(client.post("/api/users/", json=same_name), 409)
    problem(client.post("/api/users/", json=same_address), 409)


@pytest.mark.parametrize(
    "change", [{"password": "short"}, {"password": "password"}, {"email": "nowhere"}]
)
def test_a_weak_password_or_no_address_is_422_and_names_it(client, change):
    body = {"username": unique("user"), "email": f"{unique('u')}@example.org", **change}
    document = problem(client.post("/api/users/", json=body), 422)
    assert document["errors"][0]["at"] == next(iter(change))


def test_a_user_is_read_changed_and_removed(guarded, stranger, administrator):
    user = register(stranger)
    path = f"/api/users/{user['id']}"
    with bearing(guarded, user["token"]) as own:
        assert own.get("/api/users/me").json()["username"] == user["username"]
        assert "token" not in own.get(path).json()
        assert own.patch(path, json={"email": "new@example.org"}).status_code == 200
        assert administrator.get(path).json()["email"] == "new@example.org"
        items = administrator.get("/api/users/").json()["items"]
        assert user["id"] in [one["id"] for one in items]
        assert own.delete(path).status_code == 204
        problem(own.get("/api/users/me"), 401)
    problem(administrator.get(path), 404)


def test_a_wrong_password_an_unknown_user_and_none_at_all(stranger):
    user = register(stranger, password=PASSWORD)
    for name, word in ((user["username"], "wrong"), ("nobody", PASSWORD)):
        problem(stranger.post("/auth", json={"username": name, "password": word}), 401)
    problem(stranger.post("/auth", json={"username": user["username"]}), 422)
    headers = {"Content-Type": "application/json"}
    problem(stranger.post("/auth", content="{", headers=headers), 400)


def test_failed_sign_ins_are_throttled_with_retry_after(stranger):
    body = {"username": register(stranger, password=PASSWORD)["username"], "password": "wrong"}
    for _ in range(30):
        answer = stranger.post("/auth", json=body)
        if answer.status_code == 429:
            break
    problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1


# Devices


def test_a_device_is_made_read_changed_listed_and_removed(client, device):
    path = f"/api/devices/{device['id']}"
    assert {"id", "key", "name", "user_id", "token"} <= device.keys()
    found = client.get(path).json()
    assert found["name"] == device["name"]
    assert "token" not in found
    changes = {"name": unique("renamed"), "attributes": {"floor": 2, "tags": ["a"]}}
    changed = client.patch(path, json=changes).json()
    assert {key: changed[key] for key in changes} == changes
    listed = client.get("/api/devices/", params={"search": changes["name"]}).json()
    assert [one["id"] for one in listed["items"]] == [device["id"]]
    assert listed["items"][0]["last_seen"] is None
    client.post(f"{path}/data", json={"ts": START, "x": 1})
    assert client.get(path).json()["last_seen"] == STARTED
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404)
    problem(client.get(f"{path}/data"), 404)
    problem(client.post(f"{path}/data", json={"x": 1}), 404)


def test_the_list_of_devices_is_paged(client):
    word = unique("paged")
    ids = [
        client.post("/api/devices/", json={"name": f"{word} {n}"}).json()["id"] for n in range(5)
    ]
    pages = [
        client.get("/api/devices/", params={"search": word, "limit": 2, "offset": n}).json()
        for n in (0, 2, 4)
    ]
    assert [one["id"] for page in pages for one in page["items"]] == ids
    assert {page["total"] for page in pages} == {5}
    problem(client.get("/api/devices/", params={"limit": 0}), 422)


def test_a_rotated_token_replaces_the_old_one(guarded, administrator):
    made = administrator.post("/api/devices/", json={"name": "x"}).json()
    path = f"/api/devices/{made['id']}"
    new = administrator.post(f"{path}/token").json()["token"]
    with bearing(guarded, made["token"]) as old:
        problem(old.post(f"{path}/data", json={"x": 1}), 401)
    with bearing(guarded, new) as client:
        assert client.post(f"{path}/data", json={"x": 1}).status_code == 201


@pytest.mark.parametrize(
    ("body", "at"),
    [({}, "name"), ({"name": 7}, "name"), ({"name": "x", "user_id": "y"}, "user_id")],
)
def test_a_device_that_is_not_well_described_is_422(client, body, at):
    document = problem(client.post("/api/devices/", json=body), 422)
    assert at in [one["at"] for one in document["errors"]]


# Assets


def test_an_asset_is_made_read_with_its_devices_changed_and_removed(client):
    body = {"kind": "auto", "name": unique("VIN"), "attributes": {"doors": 4}}
    made = client.post("/api/assets", json=body)
    assert made.status_code == 201
    asset = made.json()
    assert {key: asset[key] for key in body} == body
    path = f"/api/assets/{asset['id']}"
    fitted = client.post("/api/devices/", json={"name": "x", "asset_id": asset["id"]}).json()
    assert [one["id"] for one in client.get(path).json()["devices"]] == [fitted["id"]]
    problem(client.post("/api/assets", json=body), 409)
    assert client.post("/api/assets", json={**body, "kind": "boat"}).status_code == 201
    assert client.patch(path, json={"attributes": {}}).json()["attributes"] == {}
    listed = client.get("/api/assets", params={"kind": "auto"}).json()["items"]
    assert asset["id"] in [one["id"] for one in listed]
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404)
    assert client.get(f"/api/devices/{fitted['id']}").json()["asset_id"] is None


# Writing readings


def test_a_body_that_is_not_said_to_be_json_is_refused_with_what_would_be_right(client):
    headers = {"Content-Type": "text/plain"}
    answer = client.post("/api/devices/", content='{"name": "x"}', headers=headers)
    assert "Content-Type: application/json" in problem(answer, 422)["detail"]


def test_one_reading_of_several_metrics(write, read):
    assert write({"ts": START, "x": 1.0, "y": 2, "on": True, "state": "idle", "z": None}) == {
        "accepted": 4
    }
    (row,) = read()
    assert row == {"ts": STARTED, "x": 1.0, "y": 2.0, "on": 1.0, "state": "idle"}


def test_without_a_time_the_servers_holds(write, read):
    before = time.time()
    write({"x": 1.0, "y": 2.0, "z": 3.0})
    (row,) = read(start_time=before - 1, end_time=time.time() + 1)
    assert {key: row[key] for key in "xyz"} == {"x": 1.0, "y": 2.0, "z": 3.0}


@pytest.mark.parametrize("name", ["ts", "time", "timestamp"])
def test_the_time_has_three_names(write, read, name):
    write({name: START, "x": 1})
    assert read() == [{"ts": STARTED, "x": 1.0}]


@pytest.mark.parametrize(
    "given",
    [
        *(START * 10**power for power in (0, 3, 6, 9)),
        float(START),
        STARTED,
        "2025-06-15T15:06:40",
        "2025-06-15T17:06:40+02:00",
        "2025-06-15T15:06:40.000000Z",
    ],
)
def test_times_are_rfc_3339_or_numbers_of_any_unit(write, read, given):
    write({"ts": given, "x": 1})
    assert read() == [{"ts": STARTED, "x": 1.0}]


ROWS = [{"ts": START + n, "x": float(n), "s": "ab"[n % 2]} for n in range(3)]
BODIES = {
    "array": ("application/json", json.dumps(ROWS)),
    "columns": (
        "application/json",
        json.dumps({key: [row[key] for row in ROWS] for key in ("ts", "x", "s")}),
    ),
    "NDJSON": ("application/x-ndjson", "\n".join(map(json.dumps, ROWS)) + "\n"),
    "CSV": ("text/csv", "ts,x,s\r\n" + "".join(f"{r['ts']},{r['x']},{r['s']}\r\n" for r in ROWS)),
}


@pytest.mark.parametrize("form", BODIES)
def test_many_readings_in_every_form(write, read, form):
    content_type, body = BODIES[form]
    assert write(body, type=content_type) == {"accepted": 6}
    assert [(row["x"], row["s"]) for row in read()] == [(0.0, "a"), (1.0, "b"), (2.0, "a")]
    assert [row["ts"][-4:] for row in read()] == [":40Z", ":41Z", ":42Z"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("form", BODIES)
def test_every_form_may_be_compressed(write, read, form, encoding):
    content_type, body = BODIES[form]
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    assert write(compress(body.encode()), type=content_type, **{"Content-Encoding": encoding}) == {
        "accepted": 6
    }
    assert len(read()) == 3


def test_sending_again_never_doubles_and_the_last_write_wins(write, read):
    write(ROWS)
    write(ROWS)
    write({"ts": START, "x": 9.0})
    assert [row["x"] for row in read()] == [9.0, 1.0, 2.0]


AHEAD = int(time.time()) + 48 * 3600  # of the start of all tests
WRONG = {
    "NaN": ("application/json", '[{"x":1},{"x":NaN}]'),
    "infinity": ("application/json", '[{"x":1},{"x":-Infinity}]'),
    "NaN as CSV": ("text/csv", f"ts,x\n{START},1\n{START + 1},NaN\n"),
    "infinity as CSV": ("text/csv", f"ts,x\n{START},1\n{START + 1},inf\n"),
    "a number beyond floats": ("application/json", f'[{{"x":1}},{{"ts":{START},"x":1e400}}]'),
    "before 1970": ("application/json", '[{"x":1},{"ts":-5,"x":1}]'),
    "before 1970 as text": ("application/json", '[{"x":1},{"ts":"1969-12-31T23:00:00Z","x":1}]'),
    "too far ahead": ("application/json", f'[{{"x":1}},{{"ts":{AHEAD},"x":1}}]'),
    "no time": ("application/json", '[{"x":1},{"ts":"yesterday","x":1}]'),
    "a long name": ("application/json", json.dumps([{"x": 1}, {"m" * 129: 1}])),
    "a long text": ("application/json", json.dumps([{"x": 1}, {"x": "t" * 4097}])),
    "a nested value": ("application/json", '[{"x":1},{"x":{"y":1}}]'),
    "an entry that is no object": ("application/json", '[{"x":1},7]'),
    "NDJSON": ("application/x-ndjson", '{"x":1}\n{"ts":-5,"x":1}\n'),
    "a column": ("application/json", f'{{"ts":[{START},-5],"x":[1,2]}}'),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_entry_is_named_and_nothing_is_stored(write, read, client, device, what):
    content_type, body = WRONG[what]
    document = write(body, type=content_type, status=422)
    assert document["status"] == 422
    assert document["errors"]
    assert any(digit in document["errors"][0]["at"] for digit in "123"), document
    assert document["errors"][0]["message"]
    assert read() == []
    assert client.get(f"/api/devices/{device['id']}/latest").json()["metrics"] == {}


def test_columns_of_different_lengths_are_422(write, read):
    write({"ts": [START, START + 1], "x": [1]}, status=422)
    assert read() == []


@pytest.mark.parametrize("what", WRONG)
def test_partial_stores_the_good_entries_and_reports_the_bad_ones(write, read, what):
    content_type, body = WRONG[what]
    answer = write(body, type=content_type, params={"partial": "true"})
    assert answer["accepted"] == 1
    assert len(answer["errors"]) == 1
    assert answer["errors"][0]["at"]
    assert answer["errors"][0]["message"]
    assert [row["x"] for row in read()] == [1.0]


@pytest.mark.parametrize("places", [10, 999])
def test_partial_stores_what_has_room_among_a_devices_metrics(write, read, places):
    known = {f"m{i}": i for i in range(places)}
    write([{"ts": START, **known}])
    rows = [
        {"ts": START + 1, **{f"n{i}": i for i in range(1_001 - places)}, "m1": 5, "m2": "on"},
        {"ts": START + 2, "m3": True, f"n{1_000 - places}": 1},
    ]
    refused = write(rows, status=422)
    assert "at most 1000 metrics" in refused["detail"]
    answer = write(rows, params={"partial": "true"})
    assert answer["accepted"] == 1_000 - places + 3
    (error,) = answer["errors"]
    assert error["at"] == f"n{1_000 - places}"
    assert "at most 1000 metrics" in error["message"]
    first, second = read(start_time=START + 1)
    new = {f"n{i}": float(i) for i in range(1_000 - places)}
    assert first == {"ts": first["ts"], **new, "m1": 5.0, "m2": "on"}
    assert second == {"ts": second["ts"], "m3": 1.0}
    last = {"ts": START + 3, f"n{1_000 - places}": 1}
    assert write(last, params={"partial": "true"})["accepted"] == 0


def test_a_name_of_128_characters_and_a_time_just_under_a_day_ahead_are_accepted(write):
    write({"m" * 128: 1, "ts": time.time() + 24 * 3600 - 60})


@pytest.mark.parametrize("body", ["{", '{"x": 1}}', b'{"x": "\xff"}', "[1,]"])
def test_unreadable_json_is_400(client, device, read, body):
    headers = {"Content-Type": "application/json"}
    path = f"/api/devices/{device['id']}/data"
    problem(client.post(path, content=body, headers=headers), 400)
    problem(client.post("/api/devices/", content=body, headers=headers), 400)
    assert read() == []


@pytest.mark.parametrize("body", ["7", '"x"', "null", "true"])
def test_readable_json_that_is_no_readings_is_422(write, body):
    write(body, status=422)


def test_bad_compression_is_refused(client, device):
    path = f"/api/devices/{device['id']}/data"
    for encoding in ("gzip", "zstd"):
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        problem(client.post(path, content=b"not compressed", headers=headers), 400)
    headers = {"Content-Encoding": "br"}
    problem(client.post(path, content=b"x", headers=headers), 415)


def test_too_large_is_413(client, device, read):
    path = f"/api/devices/{device['id']}/data"
    json_type = {"Content-Type": "application/json"}
    bomb = gzip.compress(b'{"x":1}' + b" " * 65 * 2**20)
    for encoding, body in (
        ({}, b'{"x":1}' + b" " * 16 * 2**20),
        ({"Content-Encoding": "gzip"}, bomb),
        ({"Content-Encoding": "zstd"}, zstandard.compress(b" " * 2**20 + b'{"x":1}')),
    ):
        answer = client.post(path, content=body, headers={**json_type, **encoding})
        problem(answer, 413)
    assert read() == []


def test_fifty_thousand_readings_are_accepted_and_one_more_is_refused(write, read):
    columns = {"ts": [START + n for n in range(50_001)], "x": [1] * 50_001}
    write(columns, status=413)
    assert read() == []
    assert write({key: column[1:] for key, column in columns.items()}) == {"accepted": 50_000}


def test_a_device_has_at_most_a_thousand_metrics(write, read):
    write({f"m{n}": n for n in range(1000)})
    write({"one_more": 1}, status=422)
    assert len(read()[0]) == 1001


# Reading


@pytest.fixture
def filled(write):
    write([{"ts": START + n, "x": n, **({"y": -n} if n % 2 else {})} for n in range(10)])


@pytest.mark.usefixtures("filled")
def test_readings_are_read_by_metric_period_order_and_limit(read):
    assert [row["x"] for row in read()] == list(range(10))
    assert [row["y"] for row in read(metric="y")] == [-1, -3, -5, -7, -9]
    assert all("x" not in row for row in read(metric="y"))
    assert len(read(metric="x,y")) == 10
    period = {"start_time": START + 2, "end_time": START + 5}
    assert [row["x"] for row in read(**period)] == [2, 3, 4]
    assert [row["x"] for row in read(**period, order="desc")] == [4, 3, 2]
    assert [row["x"] for row in read(order="desc", limit=2)] == [9, 8]
    assert read(metric="unknown") == []


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_next_cursor_leads_through_all_pages(client, device, order):
    params, found, pages = {"limit": 4, "order": order}, [], 0
    while True:
        answer = client.get(f"/api/devices/{device['id']}/data", params=params).json()
        assert answer["device_id"] == device["id"]
        found += [row["x"] for row in answer["data"]]
        pages += 1
        if answer["next"] is None:
            break
        params["cursor"] = answer["next"]
    assert found == (list(range(10)) if order == "asc" else list(range(9, -1, -1)))
    assert pages == 3


@pytest.mark.usefixtures("filled")
def test_readings_come_as_ndjson_csv_and_parquet(client, device, tmp_path):
    path = f"/api/devices/{device['id']}/data"
    ndjson = client.get(path, params={"format": "ndjson"})
    assert ndjson.headers["content-type"].startswith("application/x-ndjson")
    rows = [json.loads(line) for line in ndjson.text.splitlines()]
    assert rows == client.get(path).json()["data"]
    csv = client.get(path, params={"format": "csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    lines = csv.text.splitlines()
    assert lines[0] == "ts,x,y"
    assert lines[1] == f"{STARTED},0.0,"
    assert len(lines) == 11
    parquet = client.get(path, params={"format": "parquet"})
    file = tmp_path / "readings.parquet"
    file.write_bytes(parquet.content)
    with closing(duckdb.connect()) as connection:
        found = connection.execute(f"SELECT x, y FROM '{file}' ORDER BY ts").fetchall()
    assert found == [(row["x"], row.get("y")) for row in rows]


@pytest.mark.parametrize(
    "params",
    [
        {"order": "up"},
        {"limit": 0},
        {"limit": "many"},
        {"format": "xml"},
        {"cursor": "nonsense"},
        {"start_time": "soon"},
        {"start_time": START, "end_time": START - 1},
    ],
)
def test_a_question_for_readings_that_makes_no_sense_is_422(client, device, params):
    document = problem(client.get(f"/api/devices/{device['id']}/data", params=params), 422)
    assert document["errors"][0]["at"] in params


def test_the_newest_value_of_every_metric(write, client, device):
    write([{"ts": START + 9, "x": 3}, {"ts": START, "x": 1, "s": "on"}])
    found = client.get(f"/api/devices/{device['id']}/latest").json()
    assert found["metrics"] == {
        "x": {"value": 3.0, "ts": "2025-06-15T15:06:49Z"},
        "s": {"value": "on", "ts": STARTED},
    }
    assert found in client.get("/api/latest").json()


@pytest.mark.usefixtures("filled")
def test_readings_are_removed_by_metric_and_period(client, device, read):
    path = f"/api/devices/{device['id']}/data"
    params = {"metric": "y", "start_time": START, "end_time": START + 5}
    assert client.delete(path, params=params).json() == {"deleted": 2}
    assert [row["y"] for row in read(metric="y")] == [-5, -7, -9]
    assert client.delete(path, params={"start_time": START + 8}).json() == {"deleted": 3}
    latest = client.get(f"/api/devices/{device['id']}/latest").json()["metrics"]
    assert latest["x"]["value"] == 7.0
    problem(client.delete(path, params={"start": START}), 422)
    assert client.delete(path).status_code == 200
    assert read() == []


# Jobs


def test_a_job_answers_what_the_question_answers_at_once(client, device, write):
    write(ROWS)
    question = {"start_time": START, "end_time": START + 60, "stats": "count,mean", "metrics": "x"}
    asked = client.post("/api/analytics/jobs", json={"device": device["id"], **question})
    assert asked.status_code == 202
    assert asked.json()["status"] in {"queued", "running", "done"}
    path = f"/api/jobs/{asked.json()['id']}"

    def done():
        job = client.get(path).json()
        assert job["status"] in {"queued", "running", "done"}
        assert 0 <= job["progress"] <= 1
        return job if job["status"] == "done" else None

    job = until(done)
    assert job["progress"] == 1
    at_once = client.get(f"/api/analytics/devices/{device['id']}", params=question).json()
    assert job["result"] == at_once
    assert job["id"] in [one["id"] for one in client.get("/api/jobs/").json()["items"]]
    assert client.delete(path).json()["status"] == "done"


def test_a_job_about_a_user(client):
    user = register(client)
    asked = client.post("/api/analytics/jobs", json={"user": user["id"], "aggregate": False})
    path = f"/api/jobs/{asked.json()['id']}"
    job = until(lambda: (j := client.get(path).json())["status"] == "done" and j)
    assert job["result"]["devices"] == []


def test_jobs_are_called_off(client, device, write):
    write({"ts": list(range(START, START + 50_000)), "x": [1] * 50_000})
    body = {"device": device["id"], "interval": "1s", "metrics": "x"}

    def state(job):
        said = client.get(f"/api/jobs/{job}").json()["status"]
        return said if said in {"done", "cancelled"} else None

    def some_in_time():
        ids = [client.post("/api/analytics/jobs", json=body).json()["id"] for _ in range(4)]
        for job in reversed(ids):
            assert client.delete(f"/api/jobs/{job}").status_code == 200
        return "cancelled" in [until(lambda job=job: state(job)) for job in ids]

    until(some_in_time)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"device": 987654}, 404),
        ({"stats": "average"}, 422),
        ({"tz": "Mars"}, 422),
        ({"interval": "fortnight"}, 422),
        ({"start_time": 20, "end_time": 10}, 422),
        ({"surprise": 1}, 422),
        ({"device": None}, 422),
    ],
)
def test_a_job_with_a_wrong_question_is_refused_at_once(client, device, change, status):
    body = {"device": device["id"], **change}
    problem(client.post("/api/analytics/jobs", json=body), status)


def test_an_unknown_job_is_404(client):
    problem(client.get("/api/jobs/987654"), 404)
    problem(client.delete("/api/jobs/987654"), 404)


# Live


def events(lines, count):
    """The first events of a stream, as (id, data)."""
    found, current = [], {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            current[name] = value.strip()
        elif "data" in current:
            found.append((int(current["id"]), json.loads(current["data"])))
            current = {}
            if len(found) == count:
                return found
    raise AssertionError("the stream ended")


def test_committed_readings_are_told_live_and_resumed(client, device, write):
    params = {"device": device["key"], "metric": "x"}
    with client.stream("GET", "/api/live", params=params) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        write({"ts": START, "x": 1, "y": 2})
        write({"ts": START + 1, "x": 2})
        seen = events(lines, 2)
    assert [data["value"] for _, data in seen] == [1.0, 2.0]
    assert seen[0][1]["device_id"] == device["id"]
    assert seen[0][1]["metric"] == "x"
    assert seen[0][1]["ts"] == STARTED
    write({"ts": START + 2, "x": 3})
    header = {"Last-Event-ID": str(seen[0][0])}
    with client.stream("GET", "/api/live", params=params, headers=header) as stream:
        resumed = events(stream.iter_lines(), 2)
    assert resumed[0] == seen[1]
    assert resumed[1][1]["value"] == 3.0


# HEAD


def test_head_is_get_without_a_body(client, device, write):
    write({"ts": START, "x": 1})
    for path in ("/healthz", "/metrics", "/api/devices", f"/api/devices/{device['id']}/data"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == got.headers["content-length"]
    assert client.head("/api/devices/nobody").status_code == 404
    assert client.head("/auth").status_code == 405


def test_head_of_what_has_no_end_ends(client, device, write):
    write({"ts": list(range(1, 50_001)), "x": [1.5] * 50_000})
    for path in ("/api/live", f"/api/devices/{device['id']}/data"):
        assert client.head(path).status_code == 200
        # The connection is whole: the next answer on it is the next question's.
        assert client.get("/healthz").json() == {"status": "ok"}


# Health


def test_health_readiness_and_metrics_need_no_credential_but_the_metrics(stranger, client):
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").status_code == 200
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE barograph_" in answer.text


# The first administrator


def test_the_set_up_link_of_the_first_start_makes_the_first_administrator_once(serve):
    server = serve("--host", "0.0.0.0")
    token = re.search(r"/setup\?token=([A-Za-z0-9_-]+)", server.log.read_text())[1]
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
        problem(client.get("/api/users/"), 401)
        body = {"token": token, "username": "root", "password": PASSWORD}
        problem(client.post("/api/setup", json={**body, "token": token[::-1]}), 403)
        assert client.post("/api/setup", json=body).status_code == 201
        problem(client.post("/api/setup", json={**body, "username": "evil"}), 403)
        signed_in = client.post("/auth", json={"username": "root", "password": PASSWORD}).json()
        header = {"Authorization": "Bearer " + signed_in["access_token"]}
        users = client.get("/api/users/", headers=header).json()["items"]
    assert [(one["username"], one["role"]) for one in users] == [("root", "admin")]
