"""Readings in NDJSON."""

from datetime import UTC

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs import ndjson
from barograph.domain.errors import InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import Limits

TYPE = b"application/x-ndjson"


def test_each_line_is_an_entry(read, readings):
    body = b'{"ts":1,"x":1}\n{"ts":2,"x":2.5}\n'
    assert readings(read(body, TYPE)) == [("x", 1_000_000, 1.0), ("x", 2_000_000, 2.5)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"ts":1,"x":1}\n{"ts":2,"x":2}',
        b'{"ts":1,"x":1}\r\n{"ts":2,"x":2}\r\n',
        b'\n\n{"ts":1,"x":1}\n  \n\r\n {"ts":2,"x":2} \n\n',
        b'\xef\xbb\xbf{"ts":1,"x":1}\n{"ts":2,"x":2}',
    ],
)
def test_line_ends_and_blank_lines_do_not_matter(read, readings, body):
    assert [value for _, _, value in readings(read(body, TYPE))] == [1.0, 2.0]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"  \r\n"])
def test_no_lines_are_no_readings(read, body):
    assert len(read(body, TYPE).batch) == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":1}\n\n{"x":1',
        b'{"x":1}\n\n{"x":1}{"x":2}',
        b'{"x":1}\n\n{"x":1} {"x":2}\n\n\n',
        b'{"x":1}\n{}\n{"x":\n1}',
        b'{"x":1}\n{}\n{"x":1},\n',
        b'{"x":1}\n{}\n\xff\n',
        b'{"x":1}\n{}\n' + b"[" * 10_000,
    ],
)
def test_a_line_that_is_not_json_is_named(read, body):
    with pytest.raises(MalformedInput, match=r"^line 3: "):
        read(body, TYPE)


def test_wrong_entries_are_named_by_their_lines(read):
    with pytest.raises(InvalidInput) as caught:
        read(b'{"x":1}\n\n{"x":[]}\n7\n{"ts":"no","x":1}\n{"x":NaN}\n', TYPE)
    places = [problem.at for problem in caught.value.problems]
    assert places == ["line 3, x", "line 4", "line 5, ts", "line 6, x"]


def test_the_good_lines_can_be_had(read, readings):
    found = read(b'{"ts":1,"x":1}\n{oops\n{"ts":2,"x":2}\n{"x":{}}\n', TYPE, partial=True)
    assert [value for _, _, value in readings(found)] == [1.0, 2.0]
    assert [problem.at for problem in found.problems] == ["line 2", "line 4, x"]
    assert found.wrong == 2


def test_too_many_lines_are_refused(read):
    few = Limits(request_readings_max=10)
    assert len(read(b'{"x":1}\n' * 10, TYPE, limits=few).batch) == 10
    for line in (b'{"x":1}\n', b"oops\n", b'\n{"x":null}\n'):
        with pytest.raises(TooLarge):
            read(line * 11, TYPE, limits=few, partial=True)
    with pytest.raises(TooLarge):
        read(b"\n" * 1000, TYPE, limits=few)


entry = st.dictionaries(
    st.sampled_from(["ts", "x", "y"]),
    st.integers(0, 10**9) | st.floats(0, 1e9) | st.text(max_size=3),
)


@given(rows=st.lists(entry, max_size=5))
def test_lines_say_the_same_as_an_array(read, readings, rows):
    body = b"\n".join(map(msgspec.json.encode, rows))
    try:
        expected = readings(read(rows))
    except InvalidInput as error:
        count = len(error.problems)
        with pytest.raises(InvalidInput) as caught:
            read(body, TYPE)
        assert len(caught.value.problems) == count
    else:
        assert repr(readings(read(body, TYPE))) == repr(expected)


@given(
    body=st.binary(max_size=40) | st.text('{}[]",:01xn \n\r').map(str.encode), good=st.booleans()
)
def test_arbitrary_bytes_are_read_or_refused(body, good, context):
    try:
        ndjson.decode(body, now=context.now, zone=UTC, limits=context.limits, partial=good)
    except (MalformedInput, InvalidInput, TooLarge):
        return
