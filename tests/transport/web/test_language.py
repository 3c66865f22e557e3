"""Numbers and times as a language writes them."""

import pytest

from barograph.transport.web.language import load_languages


@pytest.mark.parametrize(("code", "text"), [("en", "64.1%"), ("ru", "64,1\N{NO-BREAK SPACE}%")])
def test_a_share_is_written_as_browsers_write_it(code, text):
    assert load_languages()[code].share(0.6412) == text
