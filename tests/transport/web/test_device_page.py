"""The page of one device."""

import html
import itertools
import json
import re

import pytest
from starlette.responses import StreamingResponse

from barograph.domain.errors import Unavailable
from barograph.domain.user import OPERATOR, Principal
from barograph.transport.web import device as device_page
from barograph.transport.web import figures

HOUR = 3_600_000_000


def _statistics(page, metric):
    cells = re.findall(rf'data-of="{metric}" data-statistic="([^"]+)" title="([^"·]+)', page)
    return {name: value.strip() for name, value in cells}


def test_page_reads_without_scripts(browser, greenhouse):
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert re.search(r'<path class="line" d="M\d', page)
    assert page.count('<tr><th scope="row"><time') == 50
    assert ">open · 9 Oct 2025 07:54:20 – " in page  # a state of the timeline
    older = re.search(r'<a href="([^"]+before=[^"]+)" data-readings', page)[1]
    further = browser.get(older.replace("&amp;", "&")).text
    assert further.count('<tr><th scope="row"><time') == 10
    assert "To the newest" in further


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


def test_every_statistic_of_the_contract_is_there_and_is_what_pandas_says(browser, core, write):
    import pandas as pd

    device, _ = core.devices.create(OPERATOR, "Meter", key="meter")
    now = core.clock()
    values = [3.0, 1.5, 4.25, 1.5, 5.0, 9.0, 2.5, 6.0]
    write(device, [(now - (8 - i) * 60_000_000, {"x": value}) for i, value in enumerate(values)])
    found = {
        name: float(value)
        for name, value in _statistics(browser.get(f"/ui/devices/{device.id}").text, "x").items()
    }
    x = pd.Series(values)
    expected = {
        **{name: float(getattr(x, name)()) for name in ("min", "max", "count", "sum", "mean")},
        "median": x.median(),
        "stddev": x.std(),
        "p5": x.quantile(0.05),
        "p95": x.quantile(0.95),
        "p99": x.quantile(0.99),
        "first": x.iloc[0],
        "last": x.iloc[-1],
        "range": x.max() - x.min(),
        "mode": x.mode()[0],
        "distinct": x.nunique(),
        "increase": sum(b - a if b >= a else b for a, b in itertools.pairwise(x)),
        "integral": sum((a + b) / 2 / 60 for a, b in itertools.pairwise(x)),
        "time_weighted_mean": x[:-1].mean(),
    }
    expected["rate"] = expected["increase"] / 420
    assert found == pytest.approx(expected)


def test_figures_are_compared_with_the_period_before(browser, core, write, greenhouse):
    write(greenhouse, [(core.clock() - 20 * 60_000_000, {"temperature": 100.0})])
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=15m").text
    cell = re.search(r'data-of="temperature" data-statistic="max".*?</td>', page, re.DOTALL)[0]
    assert "before: 100" in cell
    assert '<span class="change">−78.6</span>' in cell
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=all").text
    assert 'class="change"' not in page


def test_very_many_readings_do_not_hold_up_the_page(browser, core, greenhouse, monkeypatch):
    from barograph.transport.web import device as module

    monkeypatch.setattr(module, "_AT_ONCE_READINGS_MAX", 10)
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert "Compute the statistics" in page
    assert not _statistics(page, "temperature")
    link = re.search(r'href="(/ui/devices/\d+/figures[^"]*)"', page)[1]
    whole = browser.get(link).text
    assert "<html" in whole
    assert _statistics(whole, "temperature")["count"] == "60"
    assert "<html" not in browser.get(link, hx_request="true").text


def test_a_browser_with_scripts_gets_the_chart_before_the_figures(browser, greenhouse):
    browser.cookies.set("barograph_scripts", "1")
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert re.search(r'<path class="line" d="M\d', page)
    assert "data-figures-later" in page
    assert not _statistics(page, "temperature")
    brought = re.search(r"<template data-course>(.*?)</template>", page)[1]
    brought = json.loads(html.unescape(brought))
    asked = browser.get(f"/ui/devices/{greenhouse.id}/chart").json()
    assert brought["metrics"] == asked["metrics"]


def test_without_scripts_the_chart_is_sent_before_the_figures_are_computed(
    browser, greenhouse, monkeypatch
):
    made = []
    monkeypatch.setattr(figures, "columns", lambda *_: made.append("figures") or [])
    passed_on = _watch_parts(browser, monkeypatch, made)
    page = browser.get(f"/ui/devices/{greenhouse.id}", accept_encoding="identity").text
    assert made == ["part", "figures", "part"]
    first, rest = passed_on
    assert first.count('<path class="line"') == 1
    assert 'id="statistics"' not in first
    assert 'id="statistics"' in rest
    assert first + rest == page


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("the readings cannot be read now"), "The readings cannot be read now."),
        (ZeroDivisionError(), "Something went wrong inside Barograph."),
    ],
)
def test_where_figures_fail_the_page_has_the_chart_and_the_error(
    browser, greenhouse, monkeypatch, error, said
):
    def fail(*_):
        raise error

    monkeypatch.setattr(figures, "columns", fail)
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert '<path class="line"' in page
    assert said in page
    assert page.count("<html") == page.count("</html>") == page.count("<main") == 1


def test_where_the_chart_fails_the_status_says_so(browser, greenhouse, monkeypatch):
    def fail(*_):
        raise Unavailable("the readings cannot be read now")

    monkeypatch.setattr(device_page, "courses", fail)
    assert browser.get(f"/ui/devices/{greenhouse.id}").status_code == 503


def test_a_moment_that_is_none_is_refused_before_anything_is_sent(browser, greenhouse):
    path = f"/ui/devices/{greenhouse.id}?before=yesteryear"
    assert browser.get(path).status_code == 422
    browser.cookies.set("barograph_scripts", "1")
    assert browser.get(path).status_code == 422


def _watch_parts(browser, monkeypatch, made):
    """The parts of the page, which are written into `made` as they are passed on."""
    passed_on = []
    plain = StreamingResponse.__init__

    def watch(parts):
        for part in parts:
            made.append("part")
            passed_on.append(part)
            yield part

    monkeypatch.setattr(
        StreamingResponse,
        "__init__",
        lambda self, parts, **options: plain(self, watch(parts), **options),
    )
    return passed_on


def test_metrics_are_called_measured_and_limited_as_was_set(browser, core, greenhouse):
    path = f"/ui/devices/{greenhouse.id}"
    one = core.registry.series_of(greenhouse.id)["temperature"]
    fields = {"label": "Innen", "unit": "°C", "colour": "3", "low": "20,5", "high": ""}
    sent = {f"{name}-{one}": value for name, value in fields.items()}
    assert browser.send(f"{path}/metrics", **sent).status_code == 303
    page = browser.get(path).text
    assert 'class="tile pen-3 shown"' in page
    assert 'class="value beyond"' in page  # 20 is below 20.5
    assert '20</span> <span class="unit">°C</span>' in page
    assert 'data-low="20.5"' in page
    assert 'class="limit"' in page
    wrong = browser.send(f"{path}/metrics", **{f"low-{one}": "cold"})
    assert wrong.status_code == 422
    assert "is not a number" in wrong.text


def test_a_place_is_drawn_as_a_track_instead_of_two_curves(browser, core, write):
    device, _ = core.devices.create(OPERATOR, "Car", key="car")
    now = core.clock()
    rows = [
        (now - i * 60_000_000, {"gps.lat": 52.5 + i / 100, "gps.lon": 13.4, "speed": 50.0})
        for i in range(10)
    ]
    write(device, rows)
    page = browser.get(f"/ui/devices/{device.id}").text
    # Nine hundredths of a degree of the meridian.
    assert "10.02 km in the period" in page
    assert 'data-strip="speed"' in page
    assert 'data-strip="gps.lat"' not in page


def test_three_axes_are_drawn_as_a_path_in_space(browser, core, write):
    device, _ = core.devices.create(OPERATOR, "Phone", key="phone")
    now = core.clock()
    write(device, [(now - i, {"acc_x": i, "acc_y": 2.0 * i, "acc_z": 9.8}) for i in range(3)])
    page = browser.get(f"/ui/devices/{device.id}").text
    assert 'data-space="-0.5,-1,0 0,0,0 0.5,1,0"' in page or 'data-space="0.5,1,0 0,0,0' in page


def test_deleting_readings_leaves_the_device_and_what_was_not_meant(browser, core, greenhouse):
    path = f"/ui/devices/{greenhouse.id}/clear"
    assert browser.send(path, confirm="greenhaus").status_code == 422
    before = "2025-10-09T08:43:20"  # ten minutes before the clock's time
    answer = browser.send(path, confirm="greenhouse", metric="temperature", end_time=before)
    assert answer.status_code == 303
    page = browser.get(f"/ui/devices/{greenhouse.id}?range=all&metric=temperature&metric=vent").text
    assert _statistics(page, "temperature")["count"] == "11"
    assert _statistics(page, "vent")["count"] == "60"
    assert browser.send(path, confirm="greenhouse", metric="*").status_code == 422
    assert browser.send(path, confirm="greenhouse").status_code == 303
    assert "Waiting for the first reading" in browser.get(f"/ui/devices/{greenhouse.id}").text


def test_commands_are_sent_and_what_became_of_them_is_shown(browser, core, greenhouse):
    path = f"/ui/devices/{greenhouse.id}"
    assert browser.send(f"{path}/commands", command='{"relay": "on"}').status_code == 303
    assert browser.send(f"{path}/commands", command="blink").status_code == 303
    first, second = sorted(core.commands.waiting(greenhouse.id), key=lambda one: one.id)
    assert (first.command, second.command) == ({"relay": "on"}, "blink")
    core.commands.answered(OPERATOR, greenhouse, first.id, b'{"relay": true}')
    page = browser.get(path).text
    assert "{&#34;relay&#34;: &#34;on&#34;}" in page
    assert "{&#34;relay&#34;: true}" in page
    assert '<span class="state answered">answered</span>' in page
    assert "data-pending" in page
    piece = browser.get(f"{path}/exchange", hx_request="true").text
    assert "waiting for the device" in piece
    assert piece.count("/cancel") == 2  # with and without script, of the one that waits
    assert browser.send(f"{path}/commands/{second.id}/cancel").status_code == 303
    called_off = browser.get(f"{path}/exchange", hx_request="true").text
    assert '<span class="state cancelled">cancelled</span>' in called_off
    assert "/cancel" not in called_off
    assert core.commands.waiting(greenhouse.id) == []
    assert "<html" not in piece
    assert browser.send(f"{path}/commands", command=" ").status_code == 422
    refused = browser.send(f"{path}/commands", {"HX-Request": "true"}, command=" ")
    assert "Type what the device is to be told." in refused.text


def test_what_a_device_sent_wrongly_is_shown_as_text(browser, core, greenhouse):
    payload = b'<b>{"temp": }\xff\x00' + b"x" * 300
    core.refusals.keep(greenhouse.id, "devices/greenhouse/data", payload, "no JSON: at byte 12")
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert "no JSON: at byte 12" in page
    assert "&lt;b&gt;{&#34;temp&#34;: }\ufffd\ufffdxxx" in page
    assert "and 59 more bytes" in page


def test_a_device_that_is_connected_is_said_to_be(browser, core, greenhouse):
    core.presence.opened(greenhouse.id)
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert 'class="dot online"' in page
    assert "online <b>1</b>" in browser.get("/").text
    core.presence.closed(greenhouse.id, "keep alive ran out")
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    assert 'class="dot fresh"' in page
    assert "disconnected (keep alive ran out)" in page


def test_who_may_write_but_does_not_own_is_offered_just_that(core, stranger, greenhouse, ada):
    core.sharing.share(OPERATOR, greenhouse, "ada", writes=True)
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    path = f"/ui/devices/{greenhouse.id}"
    page = stranger.get(path).text
    assert "Delete readings" in page
    assert f'action="{path}/metrics"' in page
    for offered in ("Delete the device", "Rename", "Make a new token"):
        assert offered not in page
    one = core.registry.series_of(greenhouse.id)["temperature"]
    assert stranger.send(f"{path}/metrics", **{f"unit-{one}": "K"}).status_code == 303
    assert stranger.send(f"{path}/rename", name="mine").status_code == 403
    assert stranger.send(f"{path}/delete", confirm="greenhouse").status_code == 403


def test_periods_can_be_left_in_every_direction(browser, greenhouse):
    query = "start_time=2025-10-09T08:00:00Z&end_time=2025-10-09T08:10:00Z"
    page = browser.get(f"/ui/devices/{greenhouse.id}?{query}").text
    for way, start, end in (
        ("earlier", "07%3A50", "08%3A00"),
        ("later", "08%3A10", "08%3A20"),
        ("wider", "07%3A55", "08%3A15"),
    ):
        link = re.search(rf'href="([^"]+)" data-shift="{way}"', page)[1]
        assert f"start_time=2025-10-09T{start}" in link
        assert f"end_time=2025-10-09T{end}" in link


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
    for path in ("", "/chart", "/figures", "/readings", "/exchange"):
        assert stranger.get(f"/ui/devices/{greenhouse.id}{path}").status_code == 404
    for path, fields in (
        ("token", {}),
        ("rename", {"name": "mine"}),
        ("metrics", {}),
        ("clear", {"confirm": "greenhouse"}),
        ("commands", {"command": "stop"}),
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


def test_readings_that_are_all_alike_are_one_narrow_bar(browser, core, write):
    still, _ = core.devices.create(OPERATOR, "Still")
    write(still, [(core.clock() - i * 1_000_000, {"level": 7.0}) for i in range(1, 4)])
    page = browser.get(f"/ui/devices/{still.id}?range=15m").text
    assert re.search(r'<path d="M115 48v-48.0h9V48Z"/>', page)


@pytest.mark.parametrize(
    "query",
    [
        "start_time=2000-01-01&end_time=9999-12-31T23:59:59",
        "start_time=9999-12-31T23:59:59.999999Z",
    ],
)
def test_a_period_up_to_the_last_time_there_is_leads_nowhere_beyond_it(browser, greenhouse, query):
    page = browser.get(f"/ui/devices/{greenhouse.id}?{query}")
    assert page.status_code == 200
    for way in ("earlier", "later", "wider"):
        link = html.unescape(re.search(rf'href="([^"]+)" data-shift="{way}"', page.text)[1])
        assert browser.get(f"/ui/devices/{greenhouse.id}{link}").status_code == 200
