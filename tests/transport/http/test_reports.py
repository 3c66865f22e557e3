"""`/api/reports` and `/api/schedules`."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import openpyxl
import pyarrow.parquet
import pypdf
import pytest

from barograph.domain.time import HOUR
from barograph.domain.user import OPERATOR, Principal

NOW = 1_760_000_000_000_000
HOURS = 30
VALUES = np.sin(np.arange(HOURS * 4)) * 10 + 20


@pytest.fixture
def kitchen(core, fleet):
    device = fleet.device("Кухня <script>")
    times = [NOW - HOURS * HOUR + i * HOUR // 4 for i in range(HOURS * 4)]
    fleet.send(device, "temperature", zip(times, VALUES.tolist(), strict=True))
    fleet.send(device, "=door", [(time, "open") for time in times[::9]])
    core.metrics.update(OPERATOR, device, {"temperature": {"label": "Тепло", "unit": "°C"}})
    return device


@pytest.fixture
def made(core, admin, kitchen):
    """Has a report made and returns its id."""

    def made(**asked):
        answer = admin.post("/api/reports", json={"name": "Дом", "devices": [kitchen.id], **asked})
        assert answer.status_code == 202, answer.text
        job = answer.json()["job_id"]
        assert answer.headers["location"] == answer.json()["status_url"] == f"/api/jobs/{job}"
        assert core.jobs.run("tests")
        done = admin.get(f"/api/jobs/{job}").json()
        assert done["status"] == "done", done["error"]
        return done["result"]["report_id"]

    return made


def test_a_report_holds_the_figures_of_its_period(admin, made, kitchen):
    report = made(period="24h", stats=["count", "median", "p95"])
    document = admin.get(f"/api/reports/{report}/json").json()
    (section,) = document["sections"]
    assert (section["kind"], section["id"], section["name"]) == ("device", kitchen.id, kitchen.name)
    figures = {one["metric"]: one for one in section["metrics"]}
    day = VALUES[-96:]
    assert figures["temperature"]["whole"]["values"] == [
        96,
        pytest.approx(np.median(day)),
        pytest.approx(np.percentile(day, 95)),
    ]
    assert (figures["temperature"]["label"], figures["temperature"]["unit"]) == ("Тепло", "°C")
    course = figures["temperature"]["course"]
    means = [value for value in course["mean"] if value is not None]
    assert np.mean(means) == pytest.approx(day.mean(), rel=1e-4)
    assert figures["=door"]["course"] is None


def test_a_report_has_a_row_for_each_bucket(admin, made):
    report = made(period="24h", interval="6h", stats="sum,count", metrics="temperature")
    rows = list(csv.DictReader(io.StringIO(admin.get(f"/api/reports/{report}/csv").text[1:])))
    assert sum(float(row["sum"]) for row in rows) == pytest.approx(VALUES[-96:].sum())
    assert sum(int(row["count"]) for row in rows) == 96
    assert {row["metric"] for row in rows} == {"Тепло"}
    assert len(rows) == 5  # the period begins within a bucket


def test_text_that_a_spreadsheet_would_run_is_only_text(admin, made):
    report = made(period="24h")
    sheet = admin.get(f"/api/reports/{report}/csv").text
    assert "'=door" in sheet
    book = openpyxl.load_workbook(io.BytesIO(admin.get(f"/api/reports/{report}/xlsx").content))
    cells = {cell.value: cell.data_type for row in book["Summary"].iter_rows() for cell in row}
    assert cells["=door"] == "s"


def test_a_workbook_has_numbers_and_both_sheets(admin, made):
    report = made(period="24h", interval="1h", stats="max")
    book = openpyxl.load_workbook(io.BytesIO(admin.get(f"/api/reports/{report}/xlsx").content))
    assert book.sheetnames == ["Summary", "Course"]
    found = [row for row in book["Summary"].iter_rows(values_only=True) if row[3] == "Тепло"]
    assert found[0][-1] == pytest.approx(VALUES[-96:].max())


def test_parquet_has_the_rows_of_the_table(admin, made, tmp_path):
    report = made(period="24h", stats="max,mode")
    file = tmp_path / "report.parquet"
    file.write_bytes(admin.get(f"/api/reports/{report}/parquet").content)
    table = pyarrow.parquet.read_table(file).to_pylist()
    by_metric = {row["metric"]: row for row in table}
    assert by_metric["Тепло"]["max"] == pytest.approx(VALUES[-96:].max())
    assert by_metric["=door"]["max"] is None
    assert by_metric["=door"]["mode"] == "open"


@pytest.mark.parametrize(("language", "word"), [("en", "median"), ("ru", "медиана")])
def test_a_pdf_says_all_in_the_language_asked_for(admin, made, language, word):
    report = made(period="24h", interval="1h", language=language)
    pages = pypdf.PdfReader(io.BytesIO(admin.get(f"/api/reports/{report}/pdf").content)).pages
    text = "\n".join(page.extract_text() for page in pages)
    for said in ("Дом", "Кухня <script>", "Тепло, °C", word, "UTC"):
        assert said in text


def test_a_page_runs_nothing_and_loads_nothing(admin, made):
    answer = admin.get(f"/api/reports/{made(period='24h', interval='1h')}/html")
    page = answer.text
    assert "Кухня &lt;script&gt;" in page
    assert "<script" not in page
    assert "<polyline" in page
    assert not re.search(r"(src|href|style)=", page)
    assert "unsafe-inline" not in page + answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_all_devices_of_a_user_are_one_section(core, admin, fleet, made):
    anna = fleet.user()
    for name, value in (("a", 1.0), ("b", 3.0)):
        fleet.send(fleet.device(name, anna), "x", [(NOW - HOUR, value)])
    report = made(devices=None, users=[anna.user_id], period="24h")
    (section,) = admin.get(f"/api/reports/{report}/json").json()["sections"]
    assert (section["kind"], section["name"]) == ("user", "anna")
    assert section["metrics"][0]["whole"]["values"] == [1.0, 3.0, 2, 4.0, 2.0]


def test_a_period_without_readings_is_an_empty_report_in_every_form(admin, made):
    report = made(start_time="2001-01-01", end_time="2001-02-01", interval="1d")
    found = admin.get(f"/api/reports/{report}").json()
    for url in found["urls"].values():
        assert admin.get(url).status_code == 200


def test_a_single_reading_is_drawn(core, admin, fleet, made):
    device = fleet.device("once")
    fleet.send(device, "x", [(NOW - HOUR, -3.5)])
    report = made(devices=[device.id], period="24h")
    assert "<polyline" in admin.get(f"/api/reports/{report}/html").text
    assert admin.get(f"/api/reports/{report}/pdf").content.startswith(b"%PDF")


def test_more_figures_than_the_limit_are_refused(core, admin, kitchen):
    asked = {
        "devices": [kitchen.id],
        "period": "30h",
        "interval": "1s",
        "stats": [f"p{i}" for i in range(90)],
    }
    core.jobs._kinds["report"]._limits = replace(core.limits, report_values_max=1000)
    job = admin.post("/api/reports", json=asked).json()["job_id"]
    core.jobs.run("tests")
    done = admin.get(f"/api/jobs/{job}").json()
    assert done["status"] == "failed"
    assert "longer interval" in done["error"]


def test_reports_are_listed_and_removed(admin, made):
    first, second = made(), made(name="Zweite")
    listed = admin.get("/api/reports").json()
    assert [one["id"] for one in listed["items"]] == [second, first]
    assert listed["items"][0]["question"]["period"] == "yesterday"
    assert admin.delete(f"/api/reports/{first}").status_code == 204
    assert admin.get(f"/api/reports/{first}").status_code == 404
    assert admin.get(f"/api/reports/{first}/pdf").status_code == 404
    assert admin.get(f"/api/reports/{second}/doc").status_code == 422


def test_a_report_is_its_users_only(admin, stranger, sign_in, fleet, made):
    report = made()
    assert stranger.get(f"/api/reports/{report}").status_code == 401
    stranger.headers = sign_in(fleet.user("bob"))
    assert stranger.get(f"/api/reports/{report}").status_code == 404
    assert stranger.get(f"/api/reports/{report}/pdf").status_code == 404
    assert stranger.get("/api/reports").json()["total"] == 0
    stranger.headers = sign_in(Principal("device", device_id=1))
    assert stranger.get("/api/reports").status_code == 403


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"period": "someday"}, "period"),
        ({"devices": ["kitchen"], "users": [1]}, "users"),
        ({"start_time": "2026-01-01"}, "end_time"),
        ({"interval": "often"}, "interval"),
        ({"tz": "Mars"}, "tz"),
        ({"stats": "p200"}, "stats"),
        ({"period": "24h", "start_time": "2026-01-01", "end_time": "2026-01-02"}, "period"),
        ({"language": "la"}, "language"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_question_is_refused_with_its_place(admin, body, at):
    answer = admin.post("/api/reports", json=body)
    assert answer.status_code in {404, 422}, answer.text
    if answer.status_code == 422:
        assert at in answer.json()["errors"][0]["at"]


def test_a_schedule_is_created_changed_run_and_removed(core, admin, kitchen):
    asked = {"name": "Morgens", "question": {"devices": [kitchen.key]}, "cron": "0 6 * * 1-5"}
    answer = admin.post("/api/schedules", json=asked)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/api/schedules/{made['id']}"
    assert made["question"]["devices"] == [kitchen.id]
    assert made["next_time"] == "2025-10-10T06:00:00Z"
    path = f"/api/schedules/{made['id']}"
    assert admin.get(path).json() == made
    assert admin.get("/api/schedules").json()["items"] == [made]
    assert admin.patch(path, json={"enabled": False}).json()["next_time"] is None
    assert admin.patch(path, json={"cron": "often"}).status_code == 422
    assert admin.post(path + "/run").status_code == 202
    core.jobs.run("tests")
    listed = admin.get(f"/api/reports?schedule={made['id']}").json()
    assert listed["total"] == 1
    assert admin.get(f"/api/reports/{listed['items'][0]['id']}/deliveries").json() == []
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
