"""Charts and tables over the nights when clocks are changed, in the browser's zone."""

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from tests.waiting import until

HALF_HOUR = timedelta(minutes=30)
NIGHTS = [
    # zone, first day, its four days' readings (one each half hour), the night's hours as they read
    ("Europe/Berlin", (2025, 3, 28), [48, 48, 46, 48], ["01:00", "01:30", "03:00", "03:30"]),
    ("Europe/Berlin", (2025, 10, 24), [48, 48, 50, 48], ["02:00", "02:30", "02:00", "02:30"]),
    ("America/New_York", (2025, 11, 1), [48, 50, 48, 48], ["01:00", "01:30", "01:00", "01:30"]),
]
_DAYS = "%d %b"

# What a chart writes is ink on a canvas: this notes it.
_NOTE_INK = """
  window.ink = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.ink.push(text);
    return write.call(this, text, ...more);
  };
"""


@pytest.fixture(scope="module", params=NIGHTS, ids=["spring", "autumn", "autumn overseas"])
def nights(request, server):
    """Four days with a reading each half hour, the clocks' change among them."""
    name, first, counts, hours = request.param
    zone = ZoneInfo(name)
    start = datetime(*first, tzinfo=zone).astimezone(UTC)
    times = [start + i * HALF_HOUR for i in range(sum(counts))]
    device = server.post("/api/devices", {"name": f"{name} {first}"})
    readings = [{"ts": time.isoformat(), "warmth": i % 48} for i, time in enumerate(times)]
    server.post(f"/api/devices/{device['id']}/data", readings)
    period = {
        "start_time": times[0].isoformat(),
        "end_time": (times[-1] + HALF_HOUR).isoformat(),
    }
    days = [date(*first) + timedelta(days=i) for i in range(4)]
    return device["id"], zone, period, days, counts, hours


def _day(day):
    return day.strftime(_DAYS).lstrip("0")


def test_a_bar_is_a_day_of_23_24_or_25_hours(server, nights, open_page):
    device, zone, period, days, counts, _ = nights
    asked = {"devices": device, "stats": "count", "interval": "1d", "tz": zone.key, **period}
    page = open_page(f"{server.url}/ui/analytics?{urlencode(asked)}", timezone_id=zone.key)
    rows = page.locator("#answer tbody tr")
    expect(rows.locator("td:last-child")).to_have_text([str(count) for count in counts])
    for text, day in zip(rows.locator("td time").all_inner_texts(), days, strict=True):
        assert text == f"{_day(day)} {day.year}"
    bars = page.locator("#answer rect.bar").evaluate_all(
        "bars => bars.map(bar => [bar.x.baseVal.value, bar.width.baseVal.value])"
    )
    assert len(bars) == 4
    for (left, width), (following, _) in pairwise(bars):
        assert left + width <= following, "bars do not cover each other"
    widths = [width / count for (_, width), count in zip(bars, counts, strict=True)]
    assert max(widths) / min(widths) < 1.02, "a bar is as wide as its day is long"


def test_a_curve_has_each_day_once_and_its_table_the_hours_as_they_read(server, nights, open_page):
    device, zone, period, days, counts, hours = nights
    address = f"{server.url}/ui/devices/{device}?{urlencode(period)}"
    page = open_page(
        address,
        # The table alone is no page, so the browser looks for an icon.
        expected_error="status of 404",
        script=_NOTE_INK,
        timezone_id=zone.key,
    )
    page.wait_for_selector("[data-drawn] [data-strip] canvas")
    written = until(lambda: len(ink := page.evaluate("window.ink")) > 4 and ink)
    for day in days[1:]:
        assert written.count(_day(day)) == 1, written
    clock = [text for text in written if re.fullmatch(r"\d\d:\d\d", text)]
    assert set(clock) <= {"08:00", "16:00"}, "no label stands an hour off"
    # The readings of that night: newest first on the page.
    changed = next(i for i, count in enumerate(counts) if count != 48)
    night = datetime.combine(days[changed], time(5), zone)
    asked = urlencode({**period, "before": night.isoformat()})
    page.goto(f"{server.url}/ui/devices/{device}/readings?{asked}")
    times = page.locator("tbody time").all_inner_texts()
    read = [re.search(r"\d\d:\d\d", text)[0] for text in reversed(times)]
    assert "".join(hours) in "".join(read)
