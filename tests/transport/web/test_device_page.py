"""The page of one device."""

import re

import pytest

from barograph.domain.user import OPERATOR, Principal

HOUR = 3_600_000_000


def _statistics(page, metric):
    row = re.search(rf'<th scope="row">{metric}</th>(.*?)</tr>', page, re.DOTALL)[1]
    return dict(re.findall(r'data-statistic="([^"]+)" title="([^"]+)"', row))


def test_page_reads_without_scripts(browser, greenhouse):
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert re.search(r'<path class="line" d="M\d', page)
    assert "Latest readings of the period" in page
    assert page.count('<tr><th scope="row"><time') == 50


def test_statistics_are_those_of_the_period(browser, core, greenhouse):
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=15m").text
    found = _statistics(page, "temperature")
    values = [20 + i / 10 for i in range(15)]
    assert int(found["count"]) == 15
    assert float(found["min"]) == 20.0
    assert float(found["max"]) == pytest.approx(21.4)
    assert float(found["median"]) == pytest.approx(20.7)
    assert float(found["sum"]) == pytest.approx(sum(values))
    assert float(found["last"]) == 20.0


def test_all_time_begins_with_the_first_reading(browser, core, write, greenhouse):
    write(greenhouse, [(core.clock() - 3000 * HOUR, {"temperature": 1.0})])
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=all").text
    assert int(_statistics(page, "temperature")["count"]) == 61


def test_a_period_of_ones_own_is_in_the_visitors_zone(browser, core, greenhouse):
    browser.cookies.set("barograph_zone", "Asia/Tokyo")
    # The clock stands at 2025-10-09T08:53:20Z, which is 17:53:20 in Tokyo.
    path = f"/ui/devices/{greenhouse.id}"
    page = browser.get(f"{path}?start_time=2025-10-09T17:43:00&end_time=2025-10-09T17:53:00").text
    assert int(_statistics(page, "temperature")["count"]) == 10
    assert 'value="2025-10-09T17:43:00"' in page


@pytest.mark.parametrize(
    "query", ["range=9x", "start_time=yesterdayish", "start_time=now&end_time=-1h"]
)
def test_a_period_that_cannot_be_is_refused_in_words(browser, greenhouse, query):
    answer = browser.get(f"/ui/devices/{greenhouse.id}?{query}")
    assert answer.status_code == 422
    assert "That did not work" in answer.text


def test_chart_has_columns_per_metric(browser, core, greenhouse):
    chart = browser.get(f"/ui/devices/{greenhouse.id}/chart?range=24h").json()
    assert chart["end"] - chart["start"] == 86_400
    (temperature,) = chart["metrics"]
    assert temperature["metric"] == "temperature"
    assert len(temperature["times"]) == len(temperature["mean"]) == 60
    assert temperature["mean"][-1] == 20.0
    assert temperature["times"] == sorted(temperature["times"])


def test_metrics_can_be_chosen(browser, core, write, greenhouse):
    write(greenhouse, [(core.clock() - 1000, {"humidity": 55.0})])
    path = f"/ui/devices/{greenhouse.id}/chart"
    chosen = browser.get(f"{path}?metric=humidity&metric=gone").json()
    assert [one["metric"] for one in chosen["metrics"]] == ["humidity"]


def test_a_device_without_readings_waits_for_them(browser, core):
    device, _ = core.devices.create(OPERATOR, "New")
    page = browser.get(f"/ui/devices/{device.id}").text
    assert "Waiting for the first reading" in page


def test_a_new_token_replaces_the_old(browser, core, greenhouse):
    path = f"/ui/devices/{greenhouse.id}/token"
    tokens = [
        re.search(r'<code id="token">([A-Za-z]{20})</code>', browser.send(path).text)[1]
        for _ in range(2)
    ]
    assert core.accounts.authenticate(tokens[1]).device_id == greenhouse.id
    answer = browser.get("/", authorization=f"Bearer {tokens[0]}")
    assert answer.status_code == 303


def test_renaming(browser, core, greenhouse):
    answer = browser.send(f"/ui/devices/{greenhouse.id}/rename", name="Glass house")
    assert answer.status_code == 303
    assert core.registry.device(greenhouse.id).name == "Glass house"


def test_deleting_needs_the_key_typed(browser, core, greenhouse):
    path = f"/ui/devices/{greenhouse.id}/delete"
    assert browser.send(path, confirm="greenhaus").status_code == 422
    assert core.registry.device(greenhouse.id) is not None
    assert browser.send(path, confirm="greenhouse").status_code == 303
    assert core.registry.device(greenhouse.id) is None


def test_another_users_device_is_not_there(core, stranger, greenhouse, ada):
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    for path in ("", "/chart", "/figures"):
        assert stranger.get(f"/ui/devices/{greenhouse.id}{path}").status_code == 404
    for path, fields in (
        ("token", {}),
        ("rename", {"name": "mine"}),
        ("delete", {"confirm": "greenhouse"}),
    ):
        answer = stranger.send(f"/ui/devices/{greenhouse.id}/{path}", **fields)
        assert answer.status_code == 404
    assert core.registry.device(greenhouse.id).name == "Greenhouse"


def test_a_viewer_is_offered_no_changes(core, stranger):
    viewer, _ = core.accounts.register(
        "eve", None, "correct horse battery", OPERATOR, role="viewer"
    )
    device, _ = core.devices.create(OPERATOR, "Shown", user_id=viewer.id)
    stranger.send("/sign-in", username="eve", password="correct horse battery")
    page = stranger.get(f"/ui/devices/{device.id}").text
    assert "Delete the device" not in page
    assert "Add a device" not in stranger.get("/").text
    assert stranger.send(f"/ui/devices/{device.id}/rename", name="x").status_code == 403


def test_a_device_token_opens_no_page(browser, core, greenhouse):
    token = core.devices.rotate_token(OPERATOR, greenhouse)
    answer = browser.get("/", authorization=f"Bearer {token}")
    assert answer.status_code == 403


def test_downloads_ask_the_api_for_the_same_period_and_metrics(browser, greenhouse):
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=1h").text
    href = re.search(r'<a href="(/api/devices/[^"]+format=csv[^"]+)" download', page)[1]
    assert "metric=temperature" in href
    assert "start_time=2025-10-09T07%3A53%3A20" in href


def test_the_principal_of_a_removed_user_is_nobody(core, stranger, ada):
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    core.accounts.delete(Principal("user", ada.id), ada.id)
    assert stranger.get("/").status_code == 303
