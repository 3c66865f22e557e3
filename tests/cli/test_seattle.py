"""A public data set, as the README imports it: daily weather of Seattle, 2012 to 2015.

The file comes with the package vega_datasets. What Barograph answers is compared with what pandas
computes on the same file.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vega_datasets

FILE = Path(vega_datasets.__file__).parent / "_data" / "seattle-weather.csv"
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
NUMBERS = ["precipitation", "temp_max", "temp_min", "wind"]
STATS = ["min", "max", "count", "sum", "median", "mean", "stddev", "p90"]


@pytest.fixture(scope="module")
def weather():
    frame = pd.read_csv(FILE)
    frame["date"] = pd.to_datetime(frame["date"], format="%Y/%m/%d", utc=True)
    return frame.set_index("date")


def figures(column):
    return {
        "min": column.min(),
        "max": column.max(),
        "count": len(column),
        "sum": column.sum(),
        "median": column.median(),
        "mean": column.mean(),
        "stddev": column.std(),
        "p90": np.quantile(column, 0.9),
    }


def test_imported_weather_has_the_figures_of_pandas(barograph, client, here, weather):
    ran = barograph("import", FILE, "--device", "seattle", "--create", *here)
    assert ran.status == 0, ran.err
    assert "7,305 readings of 1,461 rows are stored" in ran.out
    whole = client.summary("seattle", metrics=NUMBERS, stats=STATS)
    for metric in NUMBERS:
        assert whole[metric] == pytest.approx(figures(weather[metric]), rel=1e-9), metric
    weathers = client.summary("seattle", metrics="weather", stats="count,mode,distinct")["weather"]
    assert weathers["count"] == len(weather)
    assert weathers["mode"] == weather["weather"].mode()[0]
    assert weathers["distinct"] == weather["weather"].nunique()

    printed = barograph(
        *("summary", "seattle", "--metrics", ",".join(NUMBERS), "--stats", ",".join(STATS)),
        *("--interval", "1mo", "--json", *here),
    )
    monthly = json.loads(printed.out)["metrics"]
    for metric in NUMBERS:
        groups = list(weather[metric].groupby(pd.Grouper(freq="MS")))
        assert len(monthly[metric]) == len(groups) == 48
        for bucket, (month, column) in zip(monthly[metric], groups, strict=True):
            assert pd.Timestamp(bucket["start"]) == month
            found = {name: bucket[name] for name in STATS}
            assert found == pytest.approx(figures(column), rel=1e-9)

    table = barograph("summary", "seattle", "--metrics", "wind", "--interval", "1y", *here).out
    assert len(table.splitlines()) == 5


def test_the_documentations_example_runs_word_for_word(server):
    text = DOCS.read_text()
    commands, first, second = re.search(
        r"ask:\n\n```sh\n(.*?)```\n\n```\n(.*?)```\n```\n(.*?)```", text, re.DOTALL
    ).groups()
    programs = Path(sys.executable).parent
    ran = subprocess.run(
        ["bash", "-euc", commands],
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "BAROGRAPH_DATA_DIR": str(server.directory / "data"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    printed = [line.rstrip() for line in ran.stdout.splitlines()]
    assert [line.split() for line in printed[1:]] == [
        line.split() for line in (first + second).splitlines()
    ]
