import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.device import check_key, metric_problem
from barograph.domain.errors import InvalidInput


@pytest.mark.parametrize(
    "key", ["a", "7", "esp32-a1b2", "urn:dev:mac:0024befffe804ff1", "Hall/2_x.y", "x" * 128]
)
def test_a_device_may_call_itself_so(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    ["", "-a", ".a", "/a", "_a", "a b", "a\n", "a#", "a+", "ä", "a\0", "x" * 129, "٣", "a\ud800"],
)
def test_a_device_may_not_call_itself_so(key):
    with pytest.raises(InvalidInput, match="key"):
        check_key(key)


@given(st.text(max_size=140))
def test_a_key_is_good_or_invalid_and_nothing_else(key):
    try:
        check_key(key)
    except InvalidInput:
        return
    assert re.fullmatch(r"[!-~]{1,128}", key)


@pytest.mark.parametrize(
    "metric", ["temperature", "t", "wind speed", "температура", "Δp/Δt", "x" * 128, "🌡", "a.b[3]"]
)
def test_a_metric_may_be_named_so(metric):
    assert metric_problem(metric, 128) is None


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        (" a", "needs a name"),
        ("a\t", "needs a name"),
        ("x" * 129, "128 bytes"),
        ("ж" * 65, "128 bytes"),
        ("a\nb", "printable"),
        ("a\0b", "printable"),
        ("a\u200bb", "printable"),
        ("a\ud800b", "printable"),
        ("\x7f", "printable"),
    ],
)
def test_a_metric_may_not_be_named_so(metric, why):
    assert why in metric_problem(metric, 128)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=140))
def test_a_good_metric_can_be_written_as_utf8(metric):
    if metric_problem(metric, 128) is None:
        assert 1 <= len(metric.encode()) <= 128
