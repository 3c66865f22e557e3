"""The first page and the way a device is added."""

import re

import pytest

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
    assert re.search(r'data-metric="temperature">20</dd>', page)
    assert re.search(r'data-metric="vent">open</dd>', page)
    assert re.search(r'<path class="line" d="M\d', page)
    assert "seen within 15 minutes" in page


def test_search_narrows_the_list(browser, core, greenhouse):
    core.devices.create(OPERATOR, "Cellar", key="cellar")
    page = browser.get("/?search=GREEN").text
    assert "Greenhouse" in page
    assert "Cellar" not in page
    assert "No device has “xyz”" in browser.get("/?search=xyz").text


def test_thousands_of_devices_come_in_pages(browser, core):
    for i in range(120):
        core.devices.create(OPERATOR, f"Sensor {i:03}")
    first = browser.get("/").text
    assert "Page 1 of 3" in first
    assert first.count('<li class="device"') == 50
    assert browser.get("/?page=3").text.count('<li class="device"') == 20


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
