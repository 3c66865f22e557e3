import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.errors import InvalidInput
from barograph.domain.time import TIME_MAX
from barograph.services.places import (
    decode_cursor,
    decode_reading_id,
    encode_cursor,
    encode_reading_id,
)

times = st.integers(0, TIME_MAX - 1)


@given(st.integers(0, 2**32 - 1), times)
def test_a_reading_id_leads_back_to_its_reading(series, time):
    text = encode_reading_id(series, time)
    assert decode_reading_id(text) == (series, time)
    assert len(text) == 16


@given(st.text(max_size=20))
def test_other_text_is_no_reading_id(text):
    found = decode_reading_id(text)
    assert found is None or encode_reading_id(*found) == text


def test_a_reading_id_is_the_same_for_ever():
    assert encode_reading_id(7, 1_767_225_600_000_000) == "AAAABwAGR0hGIEAA"


@given(times, st.integers(0, 2**63 - 1), st.booleans())
def test_a_cursor_leads_back_to_its_place(time, series, descending):
    text = encode_cursor(time, series, descending=descending)
    assert decode_cursor(text, descending=descending) == (time, series)
    with pytest.raises(InvalidInput, match="order"):
        decode_cursor(text, descending=not descending)


@given(st.text(max_size=40))
def test_other_text_is_no_cursor(text):
    with pytest.raises(InvalidInput, match="cursor"):
        decode_cursor(text, descending=False)
