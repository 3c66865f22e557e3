"""`barograph import`, and that what `barograph export` writes is read again."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

START = datetime(2026, 5, 1, tzinfo=UTC)


def lines(path, *texts):
    path.write_text("\n".join(texts) + "\n")
    return path


def rows(client, device, metrics=()):
    return [
        (row["ts"].isoformat(), {name: row[name] for name in row if name != "ts"})
        for row in client.rows(device, metrics=metrics)
    ]


def test_csv_with_a_column_for_each_metric(barograph, client, here, tmp_path):
    file = lines(
        tmp_path / "wide.csv",
        "date,temperature,door,on,empty",
        "2026-05-01T10:00:00Z,21.5,open,true,",
        "2026/05/01 11:00:00,1e1,'3,FALSE,",
        "1777636800,,closed,,",
    )
    ran = barograph("import", file, "--device", "wide", "--create", *here)
    assert ran.status == 0, ran.err
    assert ran.out.endswith(
        "wide.csv: 7 readings of 3 rows are stored, 2026-05-01T10:00:00Z to 2026-05-01T12:00:00Z\n"
    )
    assert rows(client, "wide") == [
        ("2026-05-01T10:00:00+00:00", {"temperature": 21.5, "door": "open", "on": 1}),
        ("2026-05-01T11:00:00+00:00", {"temperature": 10, "door": "3", "on": 0}),
        ("2026-05-01T12:00:00+00:00", {"door": "closed"}),
    ]
    assert barograph("import", file, "--device", "wide", *here).status == 0
    assert len(rows(client, "wide")) == 3


def test_csv_with_a_reading_a_row(barograph, client, here, tmp_path):
    file = lines(
        tmp_path / "long.csv",
        "time;device;metric;value",
        "2026-05-01T12:00:00;roof;wind;3,5",
        "2026-05-01T12:00:00;roof;rain;0",
        "2026-05-01T12:00:00;cellar;damp;NA",
        "2026-05-01T13:00:00;cellar;damp;80",
    )
    ran = barograph(
        *("import", file, "--create", "--timezone", "Europe/Berlin", "--nothing", "NA", *here)
    )
    assert ran.status == 0, ran.err
    assert rows(client, "roof") == [("2026-05-01T10:00:00+00:00", {"wind": 3.5, "rain": 0})]
    assert rows(client, "cellar") == [("2026-05-01T11:00:00+00:00", {"damp": 80})]


def test_columns_are_chosen_and_renamed(barograph, client, here, tmp_path):
    file = lines(
        tmp_path / "named.csv", "when,a,b,c", "01.05.2026 12:00,1,2,3", "01.05.2026 12:01,4,5,6"
    )
    ran = barograph(
        *("import", file, "--device", "named", "--create", "--time-column", "when"),
        *("--time-format", "%d.%m.%Y %H:%M", "--metric", "a=temperature", "--metric", "c", *here),
    )
    assert ran.status == 0, ran.err
    assert rows(client, "named") == [
        ("2026-05-01T12:00:00+00:00", {"temperature": 1, "c": 3}),
        ("2026-05-01T12:01:00+00:00", {"temperature": 4, "c": 6}),
    ]


def test_ndjson_whose_lines_differ(barograph, client, here, tmp_path):
    file = lines(
        tmp_path / "lines.ndjson",
        '{"ts": 1777636800, "device": "n-1", "x": 1}',
        "",
        '{"ts": "2026-05-01T12:00:01Z", "device": "n-1", "x": null, "door": "open"}',
    )
    assert barograph("import", file, "--create", *here).status == 0
    assert rows(client, "n-1") == [
        ("2026-05-01T12:00:00+00:00", {"x": 1}),
        ("2026-05-01T12:00:01+00:00", {"door": "open"}),
    ]


def test_parquet_with_types_of_its_own(barograph, client, here, tmp_path):
    file = tmp_path / "typed.parquet"
    duckdb.sql(
        """
        SELECT TIMESTAMP '2026-05-01 12:00:00' + INTERVAL (i) MINUTE AS "time",
               CAST(i AS DECIMAL(10, 2)) / 2 AS "odd ""n", i % 2 = 0 AS even,
               CASE WHEN i = 1 THEN 'NaN'::DOUBLE ELSE i END AS x
        FROM range(25000) AS r(i)
        """
    ).write_parquet(str(file))
    ran = barograph("import", file, "--device", "typed", "--create", *here)
    assert ran.status == 0, ran.err
    assert "74,999 readings of 25,000 rows" in ran.out
    found = client.read("typed", limit=2).rows
    assert found[1] == {
        "ts": datetime(2026, 5, 1, 12, 1, tzinfo=UTC),
        'odd "n': 0.5,
        "even": 0,
    }
    assert client.summary("typed", metrics="even", stats="count,sum")["even"] == {
        "count": 25_000,
        "sum": 12_500,
    }


@pytest.mark.parametrize(
    ("name", "texts", "options", "message"),
    [
        ("a.csv", ["ts,x", "1777636800,1", "soon,2"], (), "line 3, ts: 'soon' is not a time"),
        ("a.csv", ["ts,x", "1777636800,1,2"], (), "line 2: there are 3 cells, and 2 columns"),
        ("a.csv", ["ts,x", "1777636800,nan"], (), "line 2, x: 'nan' is not a finite number"),
        ("a.csv", ["ts,x", '1777636800,"open'], (), "line 2: this is not CSV"),
        ("a.csv", ["ts,x", "32503680000,1"], (), "line 2: 3000-01-01T00:00:00Z is more than 24"),
        (
            "a.csv",
            ["ts,x", "1777636800,1"],
            ("--metric", "y"),
            "y: there is no such column, but ts, x",
        ),
        ("a.csv", ["x,y", "1,2"], (), "--time-column: which column has the times? There are x, y"),
        ("a.csv", ["ts,x,x", "1,2,3"], (), "line 1: a column is there twice"),
        ("a.csv", ["\n"], (), "line 1: there is no header row"),
        ("a.ndjson", ['{"ts": 1777636800, "x": 1}', "{"], (), "line 2: this is not a JSON object"),
        ("a.ndjson", ['{"ts": 1777636800, "x": [1]}'], (), "line 1, x: [1] is not a finite number"),
        ("a.parquet", ["PAR1"], (), "cannot be read as Parquet"),
        ("a.xlsx", ["?"], (), "CSV (.csv, .tsv), NDJSON"),
        ("a.csv", ["ts,x", "1777636800,1"], ("--timezone", "Mars"), "--timezone: 'Mars' is not a"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(
    barograph, client, here, tmp_path, name, texts, options, message
):
    file = lines(tmp_path / name, *texts)
    ran = barograph("import", file, "--device", "wrong", "--create", *options, *here)
    assert ran.status == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_device_that_is_missing_is_named(barograph, here, tmp_path):
    file = lines(tmp_path / "a.csv", "ts,x", "1777636800,1")
    ran = barograph("import", file, "--device", "missing", *here)
    assert ran.err == (
        "barograph: missing: there is no such device: register it, or let --create do so\n"
    )
    assert "whose readings are these" in barograph("import", file, *here).err


def test_a_dry_run_tells_and_stores_nothing(barograph, client, tmp_path):
    file = lines(tmp_path / "dry.csv", "ts,x,y", "1777636800,1,2", "1777636860,3,")
    nowhere = ("--data-dir", tmp_path / "nowhere")
    ran = barograph("import", file, "--device", "dry", "--dry-run", *nowhere)
    assert "3 readings of 2 rows would be stored" in ran.out
    assert "x, y" in ran.out
    assert not (tmp_path / "nowhere").exists()


_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from barograph.cli import main

def kill():
    while not Path(sys.argv[1]).exists():
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill, daemon=True).start()
main(sys.argv[2:])
"""
"""`barograph …`, which dies in the middle: when it first notes how far it came."""


def test_a_killed_import_goes_on_and_stores_everything_once(barograph, client, here, tmp_path):
    count = 300_000
    file = tmp_path / "many.csv"
    with file.open("w") as opened:
        opened.write("ts,x,y\n")
        for i in range(count):
            opened.write(f"{(START + timedelta(seconds=i)).isoformat()},{i},{i % 10}\n")
    noted = tmp_path / "many.csv.barograph-import"
    command = ["import", file, "--device", "many", "--create", *here]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, noted, *command], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    stored = json.loads(noted.read_text())["rows"]
    assert 0 < stored < count
    changed = lines(tmp_path / "x.csv", "ts,x", "1,1")
    (tmp_path / "x.csv.barograph-import").write_bytes(noted.read_bytes())
    refused = barograph("import", changed, "--device", "many", "--resume", *here)
    assert "this file has changed" in refused.err
    ran = barograph("import", file, "--device", "many", "--resume", *here)
    assert ran.status == 0, ran.err
    assert f"going on after {stored:,} rows" in ran.err
    assert f"{2 * count:,} readings of {count:,} rows are stored" in ran.out
    assert not noted.exists()
    whole = client.summary("many", stats="count,sum,min,max")
    assert whole["x"] == {
        "count": count,
        "sum": count * (count - 1) / 2,
        "min": 0,
        "max": count - 1,
    }
    assert whole["y"]["sum"] == count * 4.5


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_what_was_exported_is_imported_unchanged(barograph, client, here, tmp_path, form):
    source, target = f"from-{form}", f"to-{form}"
    client.create_device(source, key=source)
    client.write(
        source,
        {
            "ts": [START + timedelta(microseconds=333 * i) for i in range(1_000)],
            "x": [i / 3 for i in range(1_000)],
            "state": [["open", "3", "=A1", None][i % 4] for i in range(1_000)],
        },
    )
    file = tmp_path / f"out.{form}"
    ran = barograph("export", source, "--output", file, *here)
    assert ran.status == 0, ran.err
    assert barograph("import", file, "--device", target, "--create", *here).status == 0
    assert rows(client, target) == rows(client, source)


def test_an_export_never_replaces_a_file_unasked(barograph, client, here, tmp_path):
    client.create_device("Once", key="once")
    client.write("once", {"x": 1})
    file = lines(tmp_path / "once.csv", "precious")
    refused = barograph("export", "once", "-o", file, *here)
    assert refused.status == 2
    assert file.read_text() == "precious\n"
    assert barograph("export", "once", "-o", file, "--force", *here).status == 0
    assert file.read_text().startswith("ts,x")
    missing = barograph("export", "nobody", "-o", tmp_path / "nobody.csv", *here)
    assert missing.status == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["once.csv"]


def test_several_devices_go_into_a_directory_and_one_to_standard_output(
    barograph, client, here, tmp_path
):
    for key in ("a/1", "b"):
        client.create_device(key, key=key)
        client.write(key, {"ts": START, "x": 1})
    ran = barograph("export", "a/1", "b", "-o", tmp_path / "out", "--format", "ndjson", *here)
    assert ran.status == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_1.ndjson", "b.ndjson"]
    assert barograph("export", "b", *here).out.splitlines() == ["ts,x", "2026-05-01T00:00:00Z,1.0"]
    assert "directory" in barograph("export", "a/1", "b", *here).err


def test_devices_whose_names_look_alike_are_exported_to_a_file_each(
    barograph, client, here, tmp_path
):
    keys = ["hall/1", "hall_1", "hall:1", "Attic", "attic", "cellar/1"]
    for n, key in enumerate(keys):
        client.write(client.create_device(key, key=key).id, {"x": float(n), "ts": "2026-05-01"})
    ran = barograph("export", *keys, "-o", tmp_path / "out", "--force", *here)
    assert ran.status == 0, ran.err
    files = sorted((tmp_path / "out").iterdir())
    assert len({path.name.casefold() for path in files}) == len(keys)
    assert {path.read_text().split()[-1].split(",")[1] for path in files} == {
        f"{n}.0" for n in range(len(keys))
    }
    assert (tmp_path / "out" / "cellar_1.csv").exists()
