"""Readings in CSV."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs import csv_readings
from barograph.codecs.csv_cells import read_cell
from barograph.domain.errors import InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import Limits

TYPE = b"text/csv; charset=utf-8"


def places(read, body):
    with pytest.raises(InvalidInput) as caught:
        read(body, TYPE)
    return [problem.at for problem in caught.value.problems]


def test_each_column_is_a_metric_and_each_row_a_time(read, readings):
    body = b"ts,x,y\n2024-05-01T12:00:00Z,1,2.5\n2024-05-01T12:00:01Z,3,4\n"
    time = 1_714_564_800_000_000
    assert sorted(readings(read(body, TYPE))) == [
        ("x", time, 1.0), ("x", time + 1_000_000, 3.0),
        ("y", time, 2.5), ("y", time + 1_000_000, 4.0),
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("key", ["ts", "time", "timestamp", "Time"])
def test_delimiters_line_ends_and_time_keys(read, readings, delimiter, end, key):
    rows = [[key, "x", "s"], ["1", "1.5", "open"], [], ["2", "", "TRUE"], ["3", "-2e3", ""]]
    body = "\ufeff" + end.join(delimiter.join(row) for row in rows)
    assert sorted(readings(read(body.encode(), TYPE)), key=str) == sorted(
        [
            ("x", 1_000_000, 1.5), ("x", 3_000_000, -2000.0),
            ("s", 1_000_000, "open"), ("s", 2_000_000, 1.0),
        ],
        key=str,
    )  # fmt: skip


def test_without_a_time_column_rows_lie_a_microsecond_apart(read, readings, now):
    assert readings(read(b"x\n1\n2\n", TYPE)) == [("x", now - 1, 1.0), ("x", now, 2.0)]


def test_quoted_cells_may_hold_anything(read, readings):
    body = b'"ts","the ""x"", mostly"\n1,"a, ""b""\nc"\n"2","3"\n'
    assert readings(read(body, TYPE)) == [
        ('the "x", mostly', 1_000_000, 'a, "b"\nc'),
        ('the "x", mostly', 2_000_000, 3.0),
    ]


def test_a_decimal_comma_is_read_where_the_semicolon_delimits(read, readings):
    assert readings(read(b"ts;x\n1;21,5\n", TYPE)) == [("x", 1_000_000, 21.5)]
    assert readings(read(b'ts,x\n1,"21,5"\n', TYPE)) == [("x", 1_000_000, "21,5")]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b"x,x\n1,2\n", ["line 1, column 2 (x)"]),
        (b"x,\n1,2\n", ["line 1, column 2 ()"]),
        (b"ts,time,x\n1,2,3\n", ["line 1"]),
        (b"ts,ts,x\n1,2,3\n", ["line 1"]),
        (b"," * 500 + b"\n", [f"line 1, column {i} ()" for i in range(1, 101)]),
        (b"\nx\n\nnan\n-Infinity\n1e999\n", ["line 4, x", "line 5, x", "line 6, x"]),
        (
            b'ts,s,x\n1,"two\nlines",3\nnever,2,3\n1,2\n1,2,3,4\n',
            ["line 4, ts", "line 5", "line 6"],
        ),
        (b"ts,x\n-5,1\n", ["line 2, ts"]),
        (b"x\n" + b"a" * 5000 + b"\n", ["line 2, x"]),
    ],
)
def test_each_wrong_place_is_named(read, body, at):
    assert places(read, body) == at


@pytest.mark.parametrize(
    "body", [b"", b"\n \n", b'x\n"a', b'x\n"a"b\n', b"x\n\xff\n", b"x\n" + b"a" * 200_000]
)
def test_what_is_not_csv_is_malformed(read, body):
    with pytest.raises(MalformedInput):
        read(body, TYPE)


def test_the_good_rows_can_be_had(read, readings):
    found = read(b"ts,x,y\n1,1,nan\n2\nno,1,2\n4,4,5\n", TYPE, partial=True)
    assert readings(found) == [
        ("x", 1_000_000, 1.0), ("x", 4_000_000, 4.0), ("y", 4_000_000, 5.0),
    ]  # fmt: skip
    assert [problem.at for problem in found.problems] == ["line 2, y", "line 3", "line 4, ts"]


def test_too_many_cells_or_readings_are_refused(read):
    few = Limits(request_readings_max=10)
    assert len(read(b"x\n" + b"1\n" * 10, TYPE, limits=few).batch) == 10
    for body in (b"x\n" + b"1\n" * 11, b"x\n" + b"\n" * 500, b"x,y\n" + b"1,a\n" * 6):
        with pytest.raises(TooLarge):
            read(body, TYPE, limits=few)


cells = st.one_of(
    st.sampled_from(["", " ", "1", " 2.5 ", "1_0", "5.", ".5", "1e5", "e", ".", "+", "on", "TRUE"]),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.text("0123456789.eE+-, ´'\"", max_size=4),
    st.text("0123456789.eE+-", max_size=4),
)


@given(column=st.lists(cells, min_size=1, max_size=5), decimal_comma=st.booleans())
def test_a_column_means_what_its_cells_mean(column, decimal_comma):
    found = csv_readings._read_column(column, decimal_comma=decimal_comma)
    exact = [read_cell(cell, decimal_comma=decimal_comma) for cell in column]
    assert list(map(repr, found)) == list(map(repr, exact))


@given(
    body=st.binary(max_size=40) | st.text("ts,;\tx\n\r\"'01.-ena =").map(str.encode),
    good=st.booleans(),
)
def test_arbitrary_bytes_are_read_or_refused(body, good, context):
    try:
        csv_readings.decode(body, now=context.now, zone=UTC, limits=context.limits, partial=good)
    except (MalformedInput, InvalidInput, TooLarge):
        return
