"""The temperature service, row by row."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from tests.databases import on_every_database

from barograph.domain.errors import Unavailable
from barograph.transport.http.systems.temperature import failure

pytestmark = on_every_database

TOKEN = re.compile(r"[A-Za-z]{20}")
NOT_FOUND = {"type": "ERR", "message": "Token not found!"}


def refused(answer, status):
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"type", "message"}
    assert told["type"] == "ERR"
    assert told["message"]
    return told["message"]


@pytest.fixture
def user(api):
    """A user's e-mail address and token."""
    return api.registered()


@pytest.fixture
def owner(user):
    return {"Authorization": user[1]}


@pytest.fixture
def device(api, user):
    """The token of the user's device 124."""
    return api.device(user[0])


def test_registering_a_user_gives_a_token_of_20_letters(api):
    answer = api.command("/users", "reg", f"{api.fresh('ann')}@example.org")
    assert answer.status_code == 201
    assert answer.json()["type"] == "OK"
    assert set(answer.json()) == {"type", "message"}
    assert TOKEN.fullmatch(answer.json()["message"])


def test_an_address_of_the_greatest_length_is_registered(api):
    email = f"{api.fresh('a' * 50)}@{'b' * 60}.{'c' * 60}.{'d' * 60}.org"
    assert api.command("/users", "reg", email).status_code == 201
    refused(api.command("/users", "reg", email), 400)


@pytest.mark.parametrize(
    "type", ["application/json", "text/plain", "", "image/png", "multipart/form-data"]
)
def test_json_is_taken_under_any_content_type(api, client, type):
    body = json.dumps({"command": "reg", "params": f"{api.fresh('any')}@example.org"})
    assert client.post("/users", content=body, headers={"Content-Type": type}).status_code == 201


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "file"])
def test_json_is_taken_from_a_form_field_named_data(api, client, form):
    body = json.dumps({"command": "reg", "params": f"{api.fresh('form')}@example.org"})
    sent = {
        "urlencoded": {"data": {"data": body}},
        "multipart": {"files": {"data": (None, body)}},
        "file": {"files": {"data": ("reg.json", body)}},
    }
    assert client.post("/users", **sent[form]).json()["type"] == "OK"


def test_a_form_that_cannot_be_read_is_refused_in_the_services_shape(client, device):
    form = {"Content-Type": "multipart/form-data"}
    refused(client.post("/users", content=b"--x", headers=form), 400)
    refused(client.post("/devices", content=b"--x", headers=form), 400)
    refused(client.post("/devices", content=b"--x", headers=form | {"Authorization": device}), 422)


@pytest.mark.parametrize("path", ["/devices", "/stats"])
def test_a_wrong_method_is_refused_in_the_services_shape(client, path):
    answer = client.put(path)
    assert "PUT" in refused(answer, 405)
    assert answer.headers["allow"].startswith("GET, HEAD")


def test_other_fields_may_stand_before_that_one(api, client):
    body = json.dumps({"command": "reg", "params": f"{api.fresh('form')}@example.org"})
    answer = client.post("/users", data={"csrf": "1", "data": body})
    assert answer.json()["type"] == "OK"


def test_registering_with_a_credential_that_is_not_valid_is_refused_in_the_services_shape(
    api, client
):
    body = json.dumps({"command": "reg", "params": f"{api.fresh('ann')}@example.org"})
    answer = client.post("/users", content=body, headers={"Authorization": "no such token"})
    assert (answer.status_code, answer.json()) == (401, NOT_FOUND)


@pytest.mark.parametrize(
    "body",
    [
        '{"command":"reg","params":',
        "",
        '{"command":"fly","params":"ann@example.org"}',
        '{"command":"put","params":"ann@example.org"}',
        '{"command":"reg","params":"ann"}',
        '{"command":"reg","params":"ann@"}',
        '{"command":"reg","params":7}',
        '{"command":"reg"}',
        '{"command":7}',
        '{"command":"reg","params":"ann@example.org\\u0000"}',
        "data=%7B",
    ],
)
def test_a_bad_registration_of_a_user_is_refused_with_400(client, body):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(client.post("/users", content=body, headers=form), 400)


def test_a_user_registered_already_is_refused_with_400(api, user):
    assert "already" in refused(api.command("/users", "reg", user[0]), 400)


def test_registering_a_device_gives_a_token_of_20_letters(api, user):
    answer = api.command("/devices", "reg", {"name": "124", "user": user[0]})
    assert answer.status_code == 201
    assert answer.json()["type"] == "OK"
    assert TOKEN.fullmatch(answer.json()["message"])


@pytest.mark.parametrize(
    "change",
    [{"user": "nobody@example.org"}, {"user": None}, {"name": None}, {"name": ""}, {"name": 124}],
)
def test_a_bad_registration_of_a_device_is_refused_with_400(api, user, change):
    params = {"name": "124", "user": user[0], **change}
    refused(api.command("/devices", "reg", params), 400)


@pytest.mark.parametrize("body", ["{", "[]", "7", '{"command":"fly"}', '{"command":"reg"}', ""])
def test_what_is_no_command_for_devices_is_refused_with_400(client, body):
    refused(client.post("/devices", content=body), 400)


def test_a_device_name_taken_for_this_user_is_refused_and_free_for_another(api, user, device):
    refused(api.command("/devices", "reg", {"name": "124", "user": user[0]}), 400)
    other, _ = api.registered()
    assert TOKEN.fullmatch(api.device(other, "124"))


def test_putting_a_temperature_stores_it(api, client, owner, device):
    answer = api.put(device, temp=27)
    assert (answer.status_code, answer.json()) == (201, {"type": "OK", "message": ""})
    number = api.device_id(owner["Authorization"])
    told = client.get("/stats", params={"id": number}, headers=owner).json()["message"]
    assert [line["Temp"] for line in told] == [27]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "A" * 20}, {"Authorization": "Basic x"}])
def test_putting_without_the_token_of_a_device_is_refused(api, headers):
    answer = api.command("/devices", "put", {"temp": 27}, headers=headers)
    assert (answer.status_code, answer.json()) == (401, NOT_FOUND)


def test_putting_with_a_users_token_is_refused(api, user):
    answer = api.put(user[1], temp=27)
    assert (answer.status_code, answer.json()) == (401, NOT_FOUND)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temp": "warm"},
        {"temp": True},
        {"temp": None},
        {"temp": [27]},
        {"temp": 27, "dt": "yesterday"},
        {"temp": 27, "dt": "25:00"},
        {"temp": 27, "dt": "12:60"},
        {"temp": 27, "dt": ""},
        {"temp": 27, "dt": {}},
        {"temp": 27, "dt": "2999-01-01T00:00:00Z"},
        {"temp": 10**400},
    ],
)
def test_a_bad_temperature_is_refused_with_422_and_not_stored(api, client, owner, device, params):
    refused(api.put(device, **params), 422)
    number = api.device_id(owner["Authorization"])
    told = client.get("/stats", params={"id": number}, headers=owner).json()
    assert told == {"type": "OK", "message": []}


@pytest.mark.parametrize(
    "body", ["{", '{"command":"put"}', '{"command":"put","params":{"temp":NaN}}']
)
def test_a_bad_body_with_a_devices_token_is_refused_with_422(client, device, body):
    refused(client.post("/devices", content=body, headers={"Authorization": device}), 422)


@pytest.mark.parametrize("scheme", ["", "Bearer ", "Token ", "JWT "])
def test_a_devices_token_is_known_with_and_without_a_scheme(api, device, scheme):
    assert api.put(scheme + device, temp=27).status_code == 201


def test_a_users_devices_are_listed_in_order_of_id_with_the_time_of_the_newest(api, client, user):
    owner = {"Authorization": user[1]}
    first, _ = api.device(user[0], "125"), api.device(user[0], "123")
    api.put(first, dt="12:00", temp=27)
    told = client.get("/devices", headers=owner)
    assert told.status_code == 200
    assert told.json()["type"] == "OK"
    lines = told.json()["message"]
    assert [(line["name"], line["date"]) for line in lines] == [("125", "12:00"), ("123", "")]
    assert [list(line) for line in lines] == [["name", "id", "date"]] * 2
    assert lines[0]["id"] < lines[1]["id"]


def test_devices_of_others_are_not_listed(api, client, device):
    _, other = api.registered()
    told = client.get("/devices", headers={"Authorization": other}).json()
    assert told == {"type": "OK", "message": []}


@pytest.mark.parametrize("path", ["/devices", "/stats?id=1", "/stats"])
def test_without_a_users_token_nothing_is_listed(client, device, path):
    for headers in ({}, {"Authorization": "A" * 20}, {"Authorization": device}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (401, NOT_FOUND)


def test_temperatures_come_in_order_of_time_whole_numbers_without_a_fraction(
    api, client, owner, device
):
    api.put(device, dt="2026-01-01T16:00:00Z", temp=28.0)
    api.put(device, dt="2026-01-01T15:00:00Z", temp=27)
    api.put(device, dt=1_767_286_800, temp=-0.5)
    number = api.device_id(owner["Authorization"])
    answer = client.get(f"/stats?id={number}", headers=owner)
    assert answer.status_code == 200
    assert answer.text == (
        '{"type":"OK","message":[{"DT":"15:00","Temp":27},{"DT":"16:00","Temp":28},'
        '{"DT":"17:00","Temp":-0.5}]}'
    )


def test_the_period_and_the_format_can_be_chosen(api, client, owner, device):
    for hour in (15, 16, 17):
        api.put(device, dt=f"2026-01-01T{hour}:00:00Z", temp=hour)
    number = api.device_id(owner["Authorization"])
    asked = {"id": number, "from": "2026-01-01T16:00:00Z", "to": "2026-01-01T17:00:00Z"}
    answer = client.get("/stats", params={**asked, "format": "iso"}, headers=owner)
    assert answer.json()["message"] == [{"DT": "2026-01-01T16:00:00Z", "Temp": 16}]


def test_a_period_of_times_of_day_ends_after_it_begins(api, client, owner, device):
    api.put(device, temp=20)
    number, now = api.device_id(owner["Authorization"]), datetime.now(UTC)
    around = {"from": now - timedelta(hours=1), "to": now + timedelta(hours=1)}
    asked = {"id": number, **{side: f"{time:%H:%M}" for side, time in around.items()}}
    told = client.get("/stats", params=asked, headers=owner).json()
    assert [line["Temp"] for line in told["message"]] == [20]


def test_a_period_that_ends_before_it_begins_is_refused_by_its_own_names(client, owner):
    asked = {"id": 1, "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    message = refused(client.get("/stats", params=asked, headers=owner), 422)
    assert message == "to: this lies before from"


@pytest.mark.parametrize("text", ["%H:%M", "%H:%M:%S"])
def test_a_time_of_day_is_its_most_recent_moment(api, client, owner, device, text):
    soon = datetime.now(UTC) + timedelta(hours=1)
    api.put(device, dt=soon.strftime(text), temp=20)
    number = api.device_id(owner["Authorization"])
    told = client.get("/stats", params={"id": number, "format": "iso"}, headers=owner).json()
    yesterday = (soon - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert told["message"][0]["DT"].startswith(yesterday)


def test_a_reading_without_a_time_is_of_now(api, client, owner, device):
    before = datetime.now(UTC)
    api.put(device, temp=20)
    number = api.device_id(owner["Authorization"])
    told = client.get("/stats", params={"id": number, "format": "iso"}, headers=owner).json()
    assert before <= datetime.fromisoformat(told["message"][0]["DT"]) <= datetime.now(UTC)


def test_a_device_that_is_not_there_or_anothers_is_not_found(api, client, owner, device):
    _, other = api.registered()
    number = api.device_id(owner["Authorization"])
    for asked, token in ((999_999, owner["Authorization"]), (number, other)):
        answer = client.get("/stats", params={"id": asked}, headers={"Authorization": token})
        assert answer.status_code == 404
        assert answer.json() == {"type": "ERR", "message": "Device not found!"}


@pytest.mark.parametrize(
    "query", ["", "id=", "id=x", "id=-1", "id=١", "id=1&from=x", "id=1&to=x", "id=1&format=x"]
)
def test_a_bad_question_is_refused_with_422(client, owner, device, query):
    refused(client.get(f"/stats?{query}", headers=owner), 422)


def test_a_failure_inside_a_registration_is_told_as_the_old_service_did():
    # The odd answer cannot be provoked from outside: it stands for a database that is away.
    answer = failure(Unavailable("the database is away"), 400)
    assert answer.status_code == 500
    assert json.loads(answer.body) == {"type": "OK", "message": "the database is away"}


def test_times_of_day_are_those_of_the_configured_zone(elsewhere):
    email, token = elsewhere.registered()
    elsewhere.put(elsewhere.device(email), dt="2026-01-01T15:00:00Z", temp=27)
    owner = {"Authorization": token}
    told = elsewhere.client.get("/devices", headers=owner).json()["message"][0]
    assert told["date"] == "20:30"
    question = f"/stats?id={told['id']}"
    assert elsewhere.client.get(question, headers=owner).json()["message"][0]["DT"] == "20:30"
    iso = elsewhere.client.get(f"{question}&format=iso", headers=owner).json()["message"][0]["DT"]
    assert iso == "2026-01-01T20:30:00+05:30"
