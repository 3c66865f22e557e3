"""Readings in JSON: the accepted forms, what is refused, and how it is named."""

import math
from datetime import UTC, timedelta, timezone
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph.codecs.entries import Entries
from barograph.codecs.json_readings import decode
from barograph.domain.errors import BarographError, InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import Limits
from barograph.domain.time import HOUR, from_text

MAY = from_text("2024-05-01T12:00:00Z")


def wrong(call, *args, **kwargs):
    with pytest.raises(InvalidInput) as caught:
        call(*args, **kwargs)
    return [problem.at for problem in caught.value.problems]


def test_one_flat_object_takes_the_time_of_the_server(read, readings, now):
    found = read(b'{"x": 1.0, "y": 2.0, "z": 3.0}')
    assert readings(found) == [("x", now, 1.0), ("y", now, 2.0), ("z", now, 3.0)]
    assert found.problems == ()
    assert found.wrong == 0


@pytest.mark.parametrize("key", ["ts", "time", "timestamp"])
@pytest.mark.parametrize(
    "time",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01T12:00:00",
        1714564800,
        1714564800.0,
        1714564800000,
        1714564800000000,
        1714564800000000000,
        "1714564800",
    ],
)
@pytest.mark.parametrize("form", ["object", "array", "columns"])
def test_each_time_key_and_unit_is_read_in_each_form(read, readings, key, time, form):
    body = {key: time, "x": 1.5}
    if form == "array":
        body = [body]
    elif form == "columns":
        body = {name: [value] for name, value in body.items()}
    assert readings(read(body)) == [("x", MAY, 1.5)]


def test_times_without_offset_are_in_the_configured_zone(read, readings):
    zone = timezone(timedelta(hours=3))
    rows = [{"ts": "2024-05-01T15:00:00", "x": 1}, {"ts": "2024-05-01T12:00:00Z", "y": 2}]
    for body in (rows, rows[:1], rows[0]):
        assert {time for _, time, _ in readings(read(body, zone=zone))} == {MAY}


def test_values_are_numbers_booleans_and_texts_and_null_is_skipped(read, readings, now):
    body = b'{"a": 27, "b": true, "c": false, "d": "open", "e": null, "f": -0.5, "g": ""}'
    expected = [
        ("a", now, 27.0), ("b", now, 1.0), ("c", now, 0.0), ("d", now, "open"), ("f", now, -0.5),
        ("g", now, ""),
    ]  # fmt: skip
    assert readings(read(body)) == expected
    assert readings(read(b"[" + body + b"]")) == expected


def test_a_metric_that_is_always_null_is_not_named(read):
    for body in ({"x": 1, "y": None}, [{"x": 1, "y": None}] * 2, {"x": [1, 2], "y": [None] * 2}):
        assert list(read(body).batch.metrics) == ["x"]


def test_columns_are_read_side_by_side(read, readings):
    body = {"ts": [MAY, MAY + 1, MAY + 2], "x": [1, None, 3.5], "y": ["on", True, None]}
    assert sorted(readings(read(body)), key=str) == sorted(
        [("x", MAY, 1.0), ("x", MAY + 2, 3.5), ("y", MAY, "on"), ("y", MAY + 1, 1.0)], key=str
    )


def test_a_large_body_comes_as_numpy_columns(read):
    batch = read([{"ts": MAY + i, "x": i / 7} for i in range(1000)]).batch
    assert isinstance(batch.times, np.ndarray)
    assert batch.times.dtype == np.int64
    assert isinstance(batch.values, np.ndarray)
    assert batch.values.dtype == np.float64
    assert isinstance(batch.index, np.ndarray)


def test_entries_without_time_do_not_replace_each_other(read, readings, now):
    expected = [("x", now - 2, 1.0), ("x", now - 1, 2.0), ("x", now, 3.0)]
    assert readings(read([{"x": 1}, {"x": 2}, {"x": 3}])) == expected
    assert readings(read({"x": [1, 2, 3]})) == expected
    assert readings(read([{"x": 1}, {"ts": None, "x": 2}, {"x": 3}])) == expected
    assert readings(read([{"x": 1}, {"ts": MAY, "x": 9}, {"x": 2}])) == [
        ("x", now - 1, 1.0), ("x", MAY, 9.0), ("x", now, 2.0),
    ]  # fmt: skip


def test_of_two_values_for_one_metric_and_time_the_later_entry_comes_later(read, readings):
    for spoiler in ({}, {"other": 1}):
        rows = [{"ts": MAY, "x": 1, "y": 5}, {"ts": MAY, "x": 2, "y": 6, **spoiler}]
        assert {m: v for m, _, v in readings(read(rows)) if m in "xy"} == {"x": 2.0, "y": 6.0}


@pytest.mark.parametrize("body", [b"{}", b"[]", b"[{}]", b'{"ts": 1}', b'{"x": []}', b'{"x":null}'])
def test_nothing_is_accepted_as_nothing(read, body):
    assert len(read(body).batch) == 0


def test_integers_become_the_nearest_float(read, readings, now):
    assert readings(read(b'{"x": 9007199254740993}')) == [("x", now, 9007199254740992.0)]
    assert readings(read(b'[{"x": 123456789012345678901234567890}]')) == [
        ("x", now, 1.2345678901234568e29)
    ]


def test_a_byte_order_mark_is_ignored(read, readings, now):
    assert readings(read(b'\xef\xbb\xbf{"x": 1}')) == [("x", now, 1.0)]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[", b'{"x":1}}', b'{"x":1} x', b'{"x":1,}', b"[1,]", b"[,1]", b'{"x":01}',
        b'{"x":-}', b'{"x":+1}', b'{"x":.5}', b'{"x":5.}', b'{"x":1e}', b'{"x":0x1}', b"{x:1}",
        b"{'x':1}", b'{"x":tru}', b'{"x":True}', b'{"x":nan}', b'{"x":"a\nb"}', b'{"x":"\\x41"}',
        b'{"x":"\\ud800"}', b'{"x":"\\ud800\\u0041"}', b'{"\\udc00":1}', b'{"x":"\xff"}',
        b'{"\xed\xa0\x80":1}', b'{"x":"\xc0\xaf"}', b'{"x":1}\x00', b"\xff\xfe{\x00}\x00", b'{"x" 1}',
        b'{"x":1 "y":2}', b'{"x":/**/1}', b'[{"x":1}', b'{"x":NaN', b"{NaN:1}", b'"', b"\\", b"*",
        b"[" * 100_000, b'{"a":' * 100_000, b"[" * 17 + b"]" * 17, b'{"x":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)  # fmt: skip
def test_what_is_not_json_is_malformed(read, body):
    with pytest.raises(MalformedInput):
        read(body)


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1E+999", b"9" * 400, b"9" * 5000,
               b"9" * 400 + b".5"],
)  # fmt: skip
def test_a_number_that_is_not_finite_is_named(read, number):
    assert wrong(read, b'{"x": %b, "t": "NaN, 1e400"}' % number) == ["x"]
    assert wrong(read, b'[{"x": 1}, {"x": %b}, {"y": %b}]' % (number, number)) == ["[1].x", "[2].y"]
    assert wrong(read, b'{"ts": [1, 2], "x": [1, %b]}' % number) == ["x[1]"]
    assert wrong(read, b'{"ts": %b, "x": 1}' % number) == ["ts"]
    assert wrong(read, b'[{"x": 1}, %b]' % number) == ["[1]"]
    assert wrong(read, number) == [""]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b"5", [""]),
        (b'"x"', [""]),
        (b"null", [""]),
        (b"[5, {}, null]", ["[0]", "[2]"]),
        (b'[{"x":1},{"x":1},{"x":1},{"pos":[1,2]}]', ["[3].pos"]),
        (b'{"pos":{"lat":1},"x":1}', ["pos"]),
        (b'{"":1}', [""]),
        (b'{" x":1}', [" x"]),
        (b'{"a\\u0000b":1}', ["a\\x00b"]),
        (b'{"ts":1,"time":2,"x":1}', [""]),
        (b'[{"ts":1,"timestamp":2,"x":1}]', ["[0]"]),
        (b'{"ts":[1],"time":[2],"x":[1]}', [""]),
        (b'{"ts":"yesterday","x":1}', ["ts"]),
        (b'{"ts":true,"x":1}', ["ts"]),
        (b'{"ts":{},"x":1}', ["ts"]),
        (b'{"ts":-1,"x":1}', ["ts"]),
        (b'[{"ts":5,"x":1},{"ts":-1,"x":1}]', ["[1].ts"]),
        (b'{"ts":[5,"2024-13-01T00:00:00Z"],"x":[1,2]}', ["ts[1]"]),
        (b'{"ts":["2024-02-30T00:00:00Z","2024-02-29T00:00:00Z"],"x":[1,2]}', ["ts[0]"]),
        (b'{"ts":[1,2],"x":[1]}', ["x"]),
        (b'{"ts":[1,2],"x":5}', ["x"]),
        (b'{"x":[1,2],"y":[1]}', ["y"]),
        (b'{"ts":1,"x":[1,2]}', ["x"]),
        (b'{"ts":[1,2],"x":[1,[2]]}', ["x[1]"]),
        (b'{"x":"a\\u0000"}', ["x"]),
    ],
)
def test_each_wrong_place_is_named(read, body, at):
    assert wrong(read, body) == at


def test_names_and_texts_have_limits_in_bytes(read, readings, now):
    assert readings(read({"é" * 64: 1})) == [("é" * 64, now, 1.0)]
    assert readings(read({"x": "é" * 2048})) == [("x", now, "é" * 2048)]
    assert len(wrong(read, {"é" * 64 + "x": 1})) == 1
    assert wrong(read, {"x": "é" * 2048 + "x"}) == ["x"]
    assert wrong(read, [{"x": "a" * 4097}] * 2) == ["[0].x", "[1].x"]


def test_a_time_may_lie_a_day_ahead_and_no_more(read, now):
    ahead = now + 24 * HOUR
    for form in (lambda t: {"ts": t, "x": 1}, lambda t: [{"ts": t, "x": 1}] * 3):
        assert len(read(form(ahead)).batch) in {1, 3}
        with pytest.raises(InvalidInput, match="more than 24 hours ahead"):
            read(form(ahead + 1))


def test_only_a_hundred_problems_are_described_but_all_are_counted(read):
    rows = [{"x": []}] * 250 + [{"x": 1}]
    assert len(wrong(read, rows)) == 100
    found = read(rows, partial=True)
    assert (len(found.batch), len(found.problems), found.wrong) == (1, 100, 250)


def test_the_good_part_can_be_had(read, readings):
    rows = [{"ts": MAY, "x": 1, "y": []}, 7, {"ts": "never", "x": 2}, {"ts": MAY + 1, "x": 3}]
    found = read(rows, partial=True)
    assert readings(found) == [("x", MAY, 1.0), ("x", MAY + 1, 3.0)]
    assert [problem.at for problem in found.problems] == ["[0].y", "[1]", "[2].ts"]
    columns = read(b'{"ts": [1, 2], "x": [1, NaN], "y": [1]}', partial=True)
    assert readings(columns) == [("x", 1_000_000, 1.0)]
    assert [problem.at for problem in columns.problems] == ["y", "x[1]"]


@pytest.mark.parametrize("spoiler", [{}, {"s": "text"}, {"t": None}])
def test_too_many_readings_are_refused(read, spoiler):
    few = Limits(request_readings_max=10)
    row = {"x": 1, **spoiler}
    per_row = sum(value is not None for value in row.values())
    fits = 10 // per_row
    assert len(read([row] * fits, limits=few).batch) == 10
    with pytest.raises(TooLarge):
        read([row] * (fits + 1), limits=few)
    with pytest.raises(TooLarge):
        read([*[row] * fits, {"y": 1}], limits=few)
    with pytest.raises(TooLarge):
        read({"x": [1] * 11}, limits=few)
    with pytest.raises(TooLarge):
        read({f"m{i}": 1 for i in range(11)}, limits=few)


def test_masses_of_empty_values_are_refused_before_they_are_built(read):
    with pytest.raises(TooLarge):
        read(b"[" + b"{}," * 1_500_000 + b"{}]")


def test_a_text_of_quotation_marks_is_read_in_linear_time(read):
    with pytest.raises(MalformedInput):
        read(b'["NaN' + b'\\"' * 500_000 + b"\\")


names = st.sampled_from(["x", "y", "é", "a.b", "ts", "time", "", "ts "])
times = st.one_of(
    st.none(),
    st.integers(0, 1_780_000_000).flatmap(
        lambda s: st.sampled_from([s, s * 1000, s * 10**6, s * 10**9, float(s), s + 0.123456])
    ),
    st.datetimes(timezones=st.just(UTC)).map(lambda d: d.isoformat()),
    st.integers(-5, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["2024-05-01T12:00:00Z", "2024-05-01T12:00:00.5+02:00", "x", "", True, [], {}]),
)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.sampled_from([[], {}, "on", 10**400]),
)
good_values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9))
uniform_rows = st.lists(st.sampled_from(["x", "y", "é"]), unique=True).flatmap(
    lambda keys: st.lists(
        st.builds(
            lambda time, found: {"ts": time, **found},
            st.integers(0, 1_780_000_000_000_000),
            st.fixed_dictionaries(dict.fromkeys(keys, good_values | values)),
        ),
        max_size=5,
    )
)
any_rows = st.lists(st.dictionaries(names, values | times, max_size=4), max_size=5)
timed_rows = st.lists(
    st.builds(
        lambda time, found: {"ts": time, **found}, times, st.fixed_dictionaries({"x": values})
    ),
    max_size=4,
)


def outcome(call, readings):
    """What a call gives, comparably: its readings in any order and what counts last, or errors."""
    try:
        found = readings(call())
    except BarographError as error:
        return type(error), str(error)
    return sorted(map(repr, found)), {(m, t): v for m, t, v in found}


@given(rows=uniform_rows | any_rows | timed_rows)
@example(rows=[{"ts": 1e17, "x": 1}, {"ts": 2.0**63, "x": 1}])
@example(rows=[{"ts": 1, "x": 1}, {"ts": 1, "y": 2, "x": 3}, {"y": None, "ts": 1}])
@example(rows=[{"ts": 1, "x": 1}, {"time": 1, "x": 3}])
@example(rows=[{"x": 1}, {"y": 1}, {}])
@example(rows=[{f"m{i}": i} for i in range(40)])
@example(rows=[{"ts": 10**17, "x": 1}, {"ts": 5, "x": 1}, {"ts": 10**11, "x": 2}])
def test_the_quick_path_and_the_exact_path_agree(read, readings, context, rows):
    def exactly():
        entries = Entries(lambda i, key: f"[{i}].{key}" if key else f"[{i}]", context)
        for i, row in enumerate(rows):
            entries.add(i, row)
        return entries.finish()

    assert outcome(lambda: read(rows), readings) == outcome(exactly, readings)


@given(rows=uniform_rows)
def test_columns_say_the_same_as_rows(read, readings, rows):
    columns = {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
    by_rows, by_columns = (outcome(partial(read, body), readings) for body in (rows, columns))
    if by_rows[0] is InvalidInput:  # which names the same places in other words
        assert by_columns[0] is InvalidInput
    else:
        assert by_columns == by_rows


json_like = st.recursive(
    values | st.text(), lambda inner: st.lists(inner) | st.dictionaries(names | st.text(), inner)
)


@given(
    body=st.binary(max_size=40) | st.text('[]{}",:0123456789.eE+-truefalsn\\u \n').map(str.encode)
)
def test_arbitrary_bytes_are_read_or_refused(body, context):
    conditions = {"now": context.now, "zone": UTC, "limits": context.limits}
    for good_part in (False, True):
        try:
            found = decode(body, partial=good_part, **conditions)
        except (MalformedInput, InvalidInput, TooLarge):
            continue
        assert len(found.batch.index) == len(found.batch.values) == len(found.batch)


@given(value=json_like, good_part=st.booleans())
def test_arbitrary_json_is_read_or_refused(read, value, good_part):
    try:
        found = read(value, partial=good_part)
    except (InvalidInput, MalformedInput, TooLarge):
        return
    for i, number in enumerate(found.batch.values):
        assert math.isfinite(number) or i in found.batch.texts
