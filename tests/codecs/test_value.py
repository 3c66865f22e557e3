"""One value alone."""

import math
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs import decode_value
from barograph.domain.errors import InvalidInput, MalformedInput


@pytest.fixture
def value(now, limits):
    return lambda payload: decode_value(payload, now=now, zone=UTC, limits=limits)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"21.5", 21.5), (b"-3", -3.0), (b" 1e3\r\n", 1000.0), (b"true", 1.0), (b"ON", 1.0),
        (b"False", 0.0), (b"off", 0.0), (b"open", "open"), (b" wide open\n", "wide open"),
        (b"21,5", "21,5"), (b"1_000", "1_000"), (b"0x10", "0x10"), (b"[INFO] up", "[INFO] up"),
        ('"\N{DEGREE SIGN}C"'.encode(), "\N{DEGREE SIGN}C"), (b'"a" or "b"', '"a" or "b"'),
        (b'"21.5"', "21.5"), ("\N{ARABIC-INDIC DIGIT ONE}".encode(), "\N{ARABIC-INDIC DIGIT ONE}"),
        (b'{"value": 21.5}', 21.5), (b'{"value": true, "unit": "C"}', 1.0),
        (b'{"value": "open", "ts": null}', "open"), (b'{"value": 9}', 9.0),
    ],
)  # fmt: skip
def test_a_payload_is_a_number_a_boolean_or_a_text(value, payload, expected):
    time, found = value(payload)
    assert time is None
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("key", ["ts", "time", "timestamp"])
def test_an_object_may_give_the_time(value, key):
    assert value(b'{"%b": 1714564800000, "value": 1}' % key.encode()) == (
        1_714_564_800_000_000,
        1.0,
    )


@pytest.mark.parametrize(
    ("payload", "at"),
    [
        (b"", ""), (b"  ", ""), (b"null", ""), (b"nan", ""), (b"-inf", ""), (b"1e999", ""),
        (b"a" * 4097, ""), (b"1_" * 3000 + b"1", ""), (b"a\x00b", ""), (b"{}", "value"),
        (b'{"value": null}', "value"), (b'{"value": [1]}', "value"), (b'{"value": NaN}', "value"),
        (b'{"value": 1, "ts": "soon"}', "ts"), (b'{"value": 1, "ts": 99999999999999}', "ts"),
        (b'{"value": 1, "ts": 1, "time": 1}', ""),
    ],
)  # fmt: skip
def test_what_cannot_be_a_value_is_refused(value, payload, at):
    with pytest.raises(InvalidInput) as caught:
        value(payload)
    assert caught.value.problems[0].at == at


@pytest.mark.parametrize("payload", [b"\xff", b"{", b'{"value": 1} x', b'{"a":' * 999, b'"\xff"'])
def test_what_cannot_be_read_is_malformed(value, payload):
    with pytest.raises(MalformedInput):
        value(payload)


@given(payload=st.binary(max_size=20) | st.text('{}"value:10.5ts_naif,-+ ').map(str.encode))
def test_arbitrary_bytes_are_read_or_refused(now, limits, payload):
    try:
        _, found = decode_value(payload, now=now, zone=UTC, limits=limits)
    except (MalformedInput, InvalidInput):
        return
    assert isinstance(found, str) or math.isfinite(found)
