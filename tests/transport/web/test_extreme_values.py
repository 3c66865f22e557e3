"""Values at the ends of what a float can say, which a faulty sensor may send."""

import re
from sys import float_info

import pytest

from barograph.domain.user import OPERATOR
from barograph.transport.reports.forms import RENDERERS

MINUTE = 60_000_000
MOST, LEAST = float_info.max, 5e-324


@pytest.mark.parametrize(
    "values", [(MOST, -MOST), (0.0, LEAST), (LEAST, -LEAST), (1e308, 1e308), (MOST, 0.0)]
)
def test_pages_and_reports_stay_whole(browser, core, write, values):
    device, _ = core.devices.create(OPERATOR, "Wild", key="wild")
    now = core.clock()
    write(
        device,
        [
            (
                now - i * MINUTE,
                {"x": values[i % 2], "y": 1.0, "z": values[i % 2], "late": values[0]},
            )
            for i in range(1, 400)
        ],
    )
    asked = f"/ui/analytics?devices={device.id}&start_time=-24h"
    page = f"/ui/devices/{device.id}"
    for path in ("/", page, f"{page}/chart", f"{page}/figures", asked, f"{asked}&interval=5m"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        drawn = re.findall(r' (?:d|points|data-space)="([^"]*)"', answer.text)
        assert not [one for one in drawn if re.search("nan|inf", one)], path
    question = {"devices": [device.id], "period": "24h", "stats": "min,max,last", "interval": "1h"}
    core.reports.make(core.fleet.user("root", role="admin"), "Wild", question)
    core.jobs.run("test")
    (report,) = core.reports.list(OPERATOR).items
    for form in RENDERERS:
        assert core.reports.render(OPERATOR, report.id, form)


def test_a_long_text_is_cut_where_a_document_has_no_room_for_it(core, write):
    device, _ = core.devices.create(OPERATOR, "Talker", key="talker")
    now = core.clock()
    write(device, [(now - MINUTE, {"said": "a word and another " * 200})])
    question = {"devices": [device.id], "period": "24h", "stats": "last,mode", "interval": "1h"}
    core.reports.make(core.fleet.user("root", role="admin"), "Talk", question)
    core.jobs.run("test")
    (report,) = core.reports.list(OPERATOR).items
    assert core.reports.render(OPERATOR, report.id, "pdf").startswith(b"%PDF")
