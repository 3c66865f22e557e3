"""The parameters service, row by row."""

import http.client
import subprocess
import sys

import pytest
from tests.databases import on_every_database
from tests.waiting import PATIENCE_SECONDS

pytestmark = on_every_database


@pytest.fixture
def kitchen(api, client):
    """A device's key, after three temperatures a minute apart."""
    key = api.fresh("kitchen")
    for i in range(3):
        sent = {"value": 20 + i, "device": key, "ts": f"2026-01-01T00:0{i}:00Z"}
        assert client.put("/temperature/", json=sent).status_code == 201
    return key


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_value_is_stored_and_the_stored_reading_told(api, client, method, slash):
    key = api.fresh("kitchen")
    sent = {"value": 21.5, "device": key, "ts": "2026-01-01T00:00:00Z"}
    answer = client.request(method, f"/temperature{slash}", json=sent)
    assert answer.status_code == 201
    told = answer.json()
    assert list(told) == ["id", "parameter", "device", "ts", "value"]
    assert isinstance(told["id"], str)
    del told["id"]
    assert told == {"parameter": "temperature", **sent}


def test_the_device_may_stand_in_the_query(api, client):
    key = api.fresh("kitchen")
    answer = client.put(f"/humidity/?device={key}", json={"value": 40})
    assert answer.json()["device"] == key


def test_without_a_device_it_is_the_default_one(client):
    assert client.put("/illumination/", json={"value": 40}).json()["device"] == "default"
    assert client.get("/illumination/last").json()["device"] == "default"
    assert client.get("/illumination/last?device=default").json()["value"] == 40


def test_a_value_may_be_a_text_or_a_truth(api, client):
    key = api.fresh("kitchen")
    assert client.put("/door/", json={"value": "open", "device": key}).json()["value"] == "open"
    assert client.put("/lamp/", json={"value": True, "device": key}).json()["value"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"value": None},
        {"value": [1]},
        {"value": {}},
        {"ts": "noon"},
        {"ts": "2999-01-01T00:00:00Z"},
        {"device": True},
        {"device": "no blanks"},
        {"device": []},
    ],
)
def test_a_bad_value_is_refused_with_422_and_makes_no_device(api, client, change):
    key = api.fresh("kitchen")
    answer = client.put("/temperature/", json={"value": 1, "device": key, **change})
    assert answer.status_code == 422
    assert client.get(f"/api/devices/{key}").status_code == 404


@pytest.mark.parametrize(("body", "status"), [("{", 400), ("", 400), ("[]", 422), ("21.5", 422)])
def test_what_is_no_object_is_refused(client, body, status):
    assert client.put("/temperature/", content=body).status_code == status


@pytest.mark.parametrize("parameter", ["ts", "time", "timestamp", "%20x", "x" * 129])
def test_a_name_that_no_metric_can_have_is_refused(client, parameter):
    assert client.put(f"/{parameter}/", json={"value": 1}).status_code == 422


def test_the_newest_reading_of_a_parameter_is_told(client, kitchen):
    answer = client.get(f"/temperature/last?device={kitchen}")
    assert answer.status_code == 200
    told = answer.json()
    assert list(told) == ["id", "parameter", "device", "ts", "value"]
    assert (told["ts"], told["value"]) == ("2026-01-01T00:02:00Z", 22)


def test_a_late_value_does_not_become_the_newest(client, kitchen):
    late = {"value": 5, "device": kitchen, "ts": "2025-01-01T00:00:00Z"}
    client.put("/temperature/", json=late)
    assert client.get(f"/temperature/last?device={kitchen}").json()["value"] == 22


@pytest.mark.parametrize("path", ["/seldom/last", "/seldom", "/temperature/last?device=nowhere"])
def test_a_parameter_never_seen_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_the_newest_of_every_parameter_is_a_list(client, kitchen):
    client.put("/humidity/", json={"value": 40, "device": kitchen})
    answer = client.get(f"/last?device={kitchen}")
    assert answer.status_code == 200
    assert [(one["parameter"], one["value"]) for one in answer.json()] == [
        ("temperature", 22),
        ("humidity", 40),
    ]
    single = client.get(f"/temperature/last?device={kitchen}").json()
    assert answer.json()[0] == single


def test_readings_are_listed_oldest_first(client, kitchen):
    told = client.get(f"/temperature/?device={kitchen}").json()
    assert [one["value"] for one in told] == [20, 21, 22]
    assert [one["ts"][14:16] for one in told] == ["00", "01", "02"]


def test_the_last_n_are_listed_oldest_first(client, kitchen):
    told = client.get(f"/temperature/?device={kitchen}&n=2").json()
    assert [one["value"] for one in told] == [21, 22]


@pytest.mark.parametrize("n", ["0", "-1", "x", "1000000000"])
def test_a_bad_n_is_refused_with_422(client, kitchen, n):
    assert client.get(f"/temperature/?device={kitchen}&n={n}").status_code == 422


@pytest.fixture(scope="module")
def rounding(rounding_server):
    """A server that rounds times to 5 minutes and lists two readings."""
    return rounding_server.client


@pytest.fixture(scope="module")
def rounding_server(started):
    return started(BAROGRAPH_PARAMETERS_N="2", BAROGRAPH_ROUND_TIME="5m")


def test_how_many_are_listed_without_n_is_a_setting(rounding):
    for value in range(4):
        rounding.put("/x", json={"value": value, "ts": 1_767_225_600 + 300 * value})
    assert [one["value"] for one in rounding.get("/x").json()] == [2, 3]


def test_a_reading_is_found_by_its_id_for_good(client, kitchen):
    for one in client.get(f"/temperature/?device={kitchen}").json():
        answer = client.get(f"/temperature/{one['id']}")
        assert (answer.status_code, answer.json()) == (200, one)


def test_an_id_that_is_not_there_or_of_another_parameter_is_not_found(client, kitchen):
    one = client.get(f"/temperature/last?device={kitchen}").json()
    client.put("/humidity/", json={"value": 40, "device": kitchen})
    for path in ("/temperature/1", "/temperature/x", f"/humidity/{one['id']}"):
        assert client.get(path).status_code == 404
    client.delete(f"/api/devices/{kitchen}/data")
    assert client.get(f"/temperature/{one['id']}").status_code == 404


def test_times_are_rounded_down_on_writing(rounding):
    client = rounding
    sent = {"value": 1, "ts": "2026-01-01T02:17:11Z"}
    stored = client.put("/temperature/", json=sent).json()
    assert stored["ts"] == "2026-01-01T02:15:00Z"
    assert client.get(f"/temperature/{stored['id']}").json() == stored
    client.post("/api/devices", json={"name": "exact", "key": "exact", "round_time": 0})
    exact = client.put("/temperature/", json={**sent, "device": "exact"}).json()
    assert exact["ts"] == "2026-01-01T02:17:11Z"


def test_times_are_rounded_down_when_they_come_by_mqtt(rounding_server):
    reading = {"value": 21.5, "ts": "2026-01-01T02:17:11Z"}
    rounding_server.publish("devices/default/pressure", reading)
    told = rounding_server.client.get("/pressure/last").json()
    assert (told["ts"], told["value"]) == ("2026-01-01T02:15:00Z", 21.5)


def test_page_api_and_listener_are_one_program(server, client, api):
    device = api.fresh("cellar")
    server.publish(f"devices/{device}/temperature", 12.5)
    page = client.get(f"/last?device={device}", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "12.5" in page.text
    (told,) = client.get(f"/last?device={device}").json()
    assert (told["parameter"], told["value"]) == ("temperature", 12.5)


def test_another_users_readings_are_not_found(api, client, kitchen):
    _, other = api.user()
    one = client.get(f"/temperature/last?device={kitchen}").json()
    for path in (
        f"/temperature/last?device={kitchen}",
        f"/temperature/{one['id']}",
        f"/temperature?device={kitchen}",
        f"/last?device={kitchen}",
    ):
        assert client.get(path, headers=other).status_code == 404
    sent = {"value": 1, "device": kitchen}
    assert client.put("/temperature", json=sent, headers=other).status_code == 404


def test_each_user_has_a_default_device_of_their_own(api, client):
    client.put("/wind/", json={"value": 1}).raise_for_status()  # the operator's
    for value in (2, 3):
        number, own = api.user()
        assert client.get("/last", headers=own).json() == []
        stored = client.put("/wind/", json={"value": value}, headers=own)
        assert (stored.status_code, stored.json()["device"]) == (201, f"default-{number}")
        assert client.get("/wind/last", headers=own).json() == stored.json()
        assert client.get("/last", headers=own).json() == [stored.json()]
    assert client.get("/wind/last").json()["value"] == 1


def test_a_devices_token_means_that_device(api, client):
    made = client.post("/api/devices", json={"name": "pump", "key": api.fresh("pump")}).json()
    own = {"Authorization": made["token"]}
    stored = client.put("/pressure/", json={"value": 3}, headers=own)
    assert stored.json()["device"] == made["key"]
    assert client.get("/pressure/last", headers=own).json() == stored.json()
    sent = {"value": 3, "device": "default"}
    assert client.put("/pressure/", json=sent, headers=own).status_code == 403


def test_paths_of_others_are_never_parameters(client):
    known = {path.split("/")[1] for path in client.get("/openapi.json").json()["paths"]}
    known.remove("{parameter}")
    pages = {"", "ui", "docs", "openapi.json", "asyncapi.json", "sw.js", "mqtt"}
    pages |= {"sign-in", "sign-out", "setup", "last"}
    planned = {"static", "favicon.ico", "devices"}
    for word in known | pages | planned:
        answer = client.put(f"/{word}/", json={"value": 1})
        assert answer.status_code in {404, 405}, word
        answer = client.delete(f"/{word}/last")
        assert answer.status_code in {401, 404, 405, 422}, word


def test_a_question_about_the_whole_server_is_no_parameter(client):
    connection = http.client.HTTPConnection(
        client.base_url.host, client.base_url.port, timeout=PATIENCE_SECONDS
    )
    connection.request("OPTIONS", "*")
    assert connection.getresponse().status == 404
    connection.close()


def test_a_browser_gets_a_page_and_anybody_else_json(client, kitchen):
    page = client.get(
        f"/last?device={kitchen}",
        headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    )
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "Accept" in page.headers["vary"].split(", ")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "temperature" in page.text
    assert ">22<" in page.text
    for accept in ("*/*", "application/json", "application/json, text/html"):
        answer = client.get(f"/last?device={kitchen}", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("TEXT/HTML", True),
        ("text/html, application/json", True),
        ("application/json;q=0.5, text/html", True),
        ("text/html;level=1;q=0.9, */*;q=0.8", True),
        ("text/*", True),
        ("*/*, text/html", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=0.1, application/*; q=0.2", False),
        ("text/html;q=0.1, */*;q=0.2", False),
        ("image/webp, */*", False),
        ("application/xml", False),
        ("", False),
    ],
)
def test_what_the_accept_header_weighs_more_is_answered(client, kitchen, accept, page):
    answer = client.get(f"/last?device={kitchen}", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/html") == page


def test_the_page_speaks_russian(client, kitchen):
    headers = {"Accept": "text/html", "Accept-Language": "ru"}
    assert "Новейшие значения" in client.get(f"/last?device={kitchen}", headers=headers).text


def test_a_name_is_shown_and_not_run(client, api):
    key = api.fresh("attic")
    metric = "<img src=x onerror=alert(1)>"
    client.post("/api/devices", json={"name": "<b>attic</b>", "key": key})
    client.post(f"/api/devices/{key}/data", json={metric: 1}).raise_for_status()
    page = client.get(f"/last?device={key}", headers={"Accept": "text/html"}).text
    assert "<img" not in page
    assert "<b>attic" not in page


def test_the_test_device_sends_plausible_data_over_mqtt(server, client):
    directory = server.log.parent / "data"
    command = [sys.executable, "-m", "barograph", "simulate", "--mqtt", "--devices", "1"]
    command += ["--every", "1s", "--count", "2", "--data-dir", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    made = client.get("/api/devices?limit=1000").json()["items"]
    (key,) = [one["key"] for one in made if one["attributes"].get("simulated")]
    told = client.get("/last", params={"device": key}).json()
    assert told
    listed = client.get(f"/{told[0]['parameter']}/", params={"device": key}).json()
    assert len(listed) == 2
