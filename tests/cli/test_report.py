"""`barograph report`."""

import io
import json

import pypdf
import pytest


@pytest.fixture(scope="module")
def furnished(server):
    from barograph.client import Client

    with Client(server.url) as client:
        client.create_device("Kitchen", key="kitchen")
        client.write(
            "kitchen", {"ts": [1_760_000_000 + i * 60 for i in range(100)], "x": list(range(100))}
        )
    return server


PERIOD = ("--start", "2025-10-09", "--end", "2025-10-10")


def test_a_report_is_written_in_the_form_of_the_files_name(furnished, barograph, here, tmp_path):
    file = tmp_path / "kitchen.pdf"
    ran = barograph("report", "kitchen", *PERIOD, "--name", "Küche", "-o", file, *here)
    assert ran.status == 0, ran.err
    assert "the server keeps it as report" in ran.err
    assert "Küche" in pypdf.PdfReader(io.BytesIO(file.read_bytes())).pages[0].extract_text()


def test_a_report_of_all_devices_goes_to_standard_output(furnished, here, tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "barograph", "report", "--format", "json", *PERIOD]
    told = subprocess.run(
        [*command, "--stats", "count,median", *map(str, here)], capture_output=True, check=True
    ).stdout
    (section,) = json.loads(told)["sections"]
    assert section["metrics"][0]["whole"]["values"] == [100, 49.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--period", "someday"), "someday"),
        (("nobody",), "no such device"),
        (("-o", "report.docx"), ".pdf"),
        (("--interval", "often", *PERIOD), "often"),
    ],
)
def test_what_is_wrong_is_said(furnished, barograph, here, options, message):
    ran = barograph("report", *options, *here)
    assert ran.status != 0
    assert message in ran.err


def test_a_file_that_is_there_stays(furnished, barograph, here, tmp_path):
    file = tmp_path / "report.html"
    file.write_text("mine")
    assert barograph("report", *PERIOD, "-o", file, *here).status != 0
    assert file.read_text() == "mine"
    assert barograph("report", *PERIOD, "-o", file, "--force", *here).status == 0
    assert file.read_text().startswith("<!doctype html>")
