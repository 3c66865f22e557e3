"""Lengths of time as people write them."""

import pytest

from barograph.domain.length import length_text, parse_length


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("none", "0"),
        ("250ms", "250ms"),
        ("1500ms", "1500ms"),
        ("90s", "90s"),
        ("5m", "300s"),
        ("24h", "1d"),
        ("2w", "14d"),
    ],
)
def test_a_length_is_shown_as_one_that_means_the_same(text, shown):
    assert length_text(parse_length(text)) == shown
    assert parse_length(shown) == parse_length(text)


@pytest.mark.parametrize("text", ["5", "0s", "-1d", "1.5h", "5 m", "1mo", "9999999d", "٥m"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(ValueError, match="such as 5m or 30d"):
        parse_length(text)
