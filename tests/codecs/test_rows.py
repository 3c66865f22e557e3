"""The way out, and that it leads back in."""

import csv
import io

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs import encode_csv, encode_json, encode_ndjson, rows
from barograph.codecs.rows import format_times
from barograph.domain.batch import Batch
from barograph.domain.time import TIME_MAX, format_time

NAMES = {3: "x", 5: "y", 8: "s"}
TIME = 1_714_564_800_000_000
FORMS = {
    b"application/json": encode_json,
    b"application/x-ndjson": encode_ndjson,
    b"text/csv": encode_csv,
}


def joined(encode, *batches):
    return b"".join(encode([Batch.of(batch) for batch in batches], NAMES))


def test_a_row_holds_all_of_one_time():
    readings = [(3, TIME, 1.0), (5, TIME, 2.5), (8, TIME, "open"), (5, TIME + 1_500, 3e300)]
    assert joined(encode_ndjson, readings) == (
        b'{"ts":"2024-05-01T12:00:00Z","x":1.0,"y":2.5,"s":"open"}\n'
        b'{"ts":"2024-05-01T12:00:00.001500Z","y":3e300}\n'
    )
    assert msgspec.json.decode(joined(encode_json, readings)) == [
        {"ts": "2024-05-01T12:00:00Z", "x": 1.0, "y": 2.5, "s": "open"},
        {"ts": "2024-05-01T12:00:00.001500Z", "y": 3e300},
    ]
    assert joined(encode_csv, readings) == (
        b"ts,x,y,s\r\n2024-05-01T12:00:00Z,1.0,2.5,open\r\n2024-05-01T12:00:00.001500Z,,3e+300,\r\n"
    )


def test_a_row_may_begin_in_one_batch_and_end_in_the_next():
    first, second = [(3, TIME, 1.0), (3, TIME + 1, 2.0)], [(5, TIME + 1, 3.0)]
    batches = [Batch.of(first), Batch.of([]), Batch.of(second)]
    assert [list(row)[1:] for row in rows(batches, NAMES)] == [["x"], ["x", "y"]]


def test_numpy_batches_in_descending_order_are_written():
    batch = Batch(np.array([5, 3]), np.array([TIME + 1, TIME]), np.array([1.5, 2.5]))
    assert [row.get("y") for row in rows([batch], NAMES)] == [1.5, None]


def test_nothing_is_written_as_nothing():
    assert [joined(encode) for encode in FORMS.values()] == [b"[]", b"", b"ts,x,y,s\r\n"]


def test_the_answer_leaves_in_pieces_as_the_readings_come():
    taken = []

    def batches():
        for i in range(10):
            taken.append(i)
            yield Batch(np.full(4096, 3), np.arange(4096) + i * 4096, np.zeros(4096))

    for encode in FORMS.values():
        taken.clear()
        pieces = encode(batches(), NAMES)
        next(pieces), next(pieces)
        assert len(taken) < 3
        assert all(len(piece) < 500_000 for piece in pieces)


@given(times=st.lists(st.integers(0, TIME_MAX - 1) | st.integers(0, 10**9).map(lambda n: n * 1000)))
def test_times_are_written_as_everywhere(times):
    assert format_times(np.array(times, np.int64)) == list(map(format_time, times))


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
) | st.sampled_from(
    ["", " ", "'", "''", "=1+1", "'=1", "''=1", "+1", "-1", "@x", "21.5", "21,5", "true", "OFF", "nan",
     "-inf", "a,b", 'a"b', "a\nb", "a\r\nb", "\tb", " b ", "' b", "'b", "1e5", "null", "\ufeff"]
)  # fmt: skip
readings_of_a_device = st.dictionaries(
    st.tuples(st.integers(0, 10**9).map(lambda n: n * 1_000_003), st.sampled_from(sorted(NAMES))),
    st.floats(allow_nan=False, allow_infinity=False) | texts,
    max_size=8,
)


@pytest.mark.parametrize("form", sorted(FORMS))
@given(found=readings_of_a_device, every=st.integers(1, 8))
def test_what_is_written_is_read_back_unchanged(form, found, every, read, readings):
    ordered = [(series, time, value) for (time, series), value in sorted(found.items(), key=str)]
    ordered.sort(key=lambda reading: reading[1])
    batches = [ordered[i : i + every] for i in range(0, len(ordered), every)]
    back = readings(read(joined(FORMS[form], *batches), form))
    expected = [(NAMES[series], time, value) for series, time, value in ordered]
    assert sorted(map(repr, back)) == sorted(map(repr, expected))


@given(text=texts)
def test_no_cell_of_text_begins_like_a_formula(text):
    body = joined(encode_csv, [(8, TIME, text)]).decode()
    _, row = csv.reader(io.StringIO(body, newline=""))
    assert row[3][:1] not in {"=", "+", "-", "@", "\t", "\r"}


def test_no_header_begins_like_a_formula():
    body = b"".join(encode_csv([], {1: "=cmd|' /C calc'!A0"}))
    assert body == b"ts,'=cmd|' /C calc'!A0\r\n"
