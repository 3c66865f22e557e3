"""The first page and the way a device is added."""

import re

import pytest

from barograph.domain.device import Device
from barograph.domain.user import OPERATOR, Principal


def test_local_operator_needs_no_sign_in(browser):
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "local operator" in answer.text


def test_first_visit_teaches_with_this_servers_own_address(browser):
    assert "curl http://127.0.0.1:8000/api/devices/" in browser.get("/").text


def test_devices_show_their_newest_values_and_a_curve(browser, greenhouse):
    page = browser.get("/").text
    assert f'href="/ui/devices/{greenhouse.id}"' in page
    assert re.search(r'data-metric="temperature">20</span>', page)
    assert re.search(r'data-metric="vent">open</span>', page)
    assert re.search(r'<path class="line" d="M\d', page)
    assert "seen within 15 minutes" in page


def test_search_narrows_the_list(browser, core, greenhouse):
    core.devices.create(OPERATOR, "Cellar", key="cellar")
    page = browser.get("/?search=GREEN").text
    assert "Greenhouse" in page
    assert "Cellar" not in page
    assert "No device has “xyz”" in browser.get("/?search=xyz").text
    piece = browser.get("/?search=GREEN&user=&asset=&order=added", hx_request="true")
    assert piece.headers["hx-replace-url"] == "/?search=GREEN"


def test_thousands_of_devices_come_in_pages(browser, core):
    for i in range(120):
        core.devices.create(OPERATOR, f"Sensor {i:03}")
    first = browser.get("/").text
    assert "Page 1 of 3" in first
    assert first.count('<li class="device"') == 50
    assert browser.get("/?page=3").text.count('<li class="device"') == 20


def test_three_thousand_devices_are_found_by_page_status_and_order(browser, core, write):
    now = core.clock()
    for i in (0, 1_000, 2_000):
        device, _ = core.devices.create(OPERATOR, f"Sensor {i:04}")
        write(device, [(now - i * 36_000_000 - 1_000, {"x": float(i)})])
    for i in range(2_997):  # known as if the catalog had them, which takes a minute to fill
        core.registry.put_device(Device(10 + i, f"s{i}", f"Silent {i:04}"))
    page = browser.get("/?page=60").text
    assert page.count('<li class="device"') == 50
    assert "Page 60 of 60" in page
    counts = re.findall(r"</span>(\w+) <b>([\d,]+)</b>", page)
    assert counts == [("active", "1"), ("quiet", "2"), ("new", "2,997")]
    quiet = browser.get("/?status=quiet&order=missing").text
    assert re.findall(r">(Sensor \d+)</a>", quiet) == ["Sensor 2000", "Sensor 1000"]
    recent = browser.get("/?order=seen").text
    assert re.findall(r">(Sensor \d+)</a>", recent)[:2] == ["Sensor 0000", "Sensor 1000"]


def test_devices_are_found_by_owner_and_asset(browser, core, greenhouse, ada):
    own, _ = core.devices.create(Principal("user", ada.id), "Ada's own")
    car = core.assets.create(OPERATOR, "car", "B-AR 1", {})
    core.devices.update(OPERATOR, own, asset_id=car.id)
    page = browser.get("/").text
    assert f'<option value="{ada.id}">ada</option>' in page
    assert f'<option value="{car.id}">B-AR 1 · car</option>' in page
    for query, name in (
        (f"user={ada.id}", "Ada&#39;s own"),
        ("user=0", "Greenhouse"),
        (f"asset={car.id}", "Ada&#39;s own"),
        ("asset=0", "Greenhouse"),
    ):
        found = re.findall(r'<a href="/ui/devices/\d+">([^<]+)</a>', browser.get(f"/?{query}").text)
        assert found == [name]


@pytest.mark.parametrize("query", ["user=x", "page=-1", "status=gone", "order=random"])
def test_a_choice_that_cannot_be_is_refused_in_words(browser, greenhouse, query):
    answer = browser.get(f"/?{query}")
    assert answer.status_code == 422
    assert "That did not work" in answer.text


def test_table_or_cards_is_remembered(browser, greenhouse):
    assert '<ul class="devices table"' in browser.get("/").text
    assert '<ul class="devices cards"' in browser.get("/?shape=cards").text
    assert '<ul class="devices cards"' in browser.get("/").text


def test_values_have_their_units_and_show_when_they_are_out_of_bounds(browser, core, greenhouse):
    settings = {"temperature": {"unit": "°C", "high": 19.0}}
    core.metrics.update(OPERATOR, greenhouse, settings)
    page = browser.get("/").text
    assert re.search(r'class="value beyond"[^>]*>20</span> <span class="unit">°C</span>', page)


def test_users_see_their_own_devices_only(core, stranger, greenhouse, ada):
    core.devices.create(Principal("user", ada.id), "Ada's own")
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    page = stranger.get("/").text
    assert "Ada&#39;s own" in page
    assert "Greenhouse" not in page


def test_adding_a_device_shows_its_token_once_with_snippets(browser, core):
    answer = browser.send("/ui/devices/new", name="Cellar", key="cellar")
    assert answer.status_code == 200
    token = re.search(r'<code id="token">([A-Za-z]{20})</code>', answer.text)[1]
    assert f"Authorization: Bearer {token}" in answer.text
    device = core.registry.device("cellar")
    assert f'data-waiting="{device.id}"' in answer.text
    assert token not in browser.get(f"/ui/devices/{device.id}").text


def test_a_taken_key_is_said_in_the_form_and_what_was_typed_stays(browser, greenhouse):
    answer = browser.send("/ui/devices/new", name="Second", key="greenhouse")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert 'value="Second"' in answer.text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_hostile_names_are_only_text(browser, core, write, name):
    device, _ = core.devices.create(OPERATOR, name)
    write(device, [(core.clock() - 1000, {name: 1.5, "state": name})])
    for path in ("/", f"/ui/devices/{device.id}", f"/?search={name}", "/?search=%3Cscript%3E"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page


def test_a_piece_of_the_page_is_answered_to_htmx(browser):
    assert "<html" not in browser.get("/ui/devices/new", hx_request="true").text
    assert "<html" in browser.get("/ui/devices/new").text


def test_newest_readings_are_told_of_ones_own_devices_only(core, stranger, greenhouse, ada, write):
    own, _ = core.devices.create(Principal("user", ada.id), "Own")
    write(own, [(core.clock(), {"x": 1.5})])
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    answer = stranger.get(f"/ui/newest?device={own.id}&device={greenhouse.id}&device=404")
    assert answer.json() == [
        {"device_id": own.id, "metric": "x", "value": 1.5, "ts": "2025-10-09T08:53:20Z"}
    ]


@pytest.mark.parametrize("page", [0, 99])
def test_a_page_that_is_not_there_is_the_nearest_one_that_is(browser, core, page):
    for i in range(60):
        core.devices.create(OPERATOR, f"Sensor {i:02}")
    answer = browser.get(f"/?page={page}", hx_request="true")
    nearest = 2 if page else 1
    assert f"Page {nearest} of 2" in answer.text
    assert answer.headers["hx-replace-url"] == ("/?page=2" if page else "/")
