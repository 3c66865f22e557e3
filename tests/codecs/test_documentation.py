"""The examples of the documentation are read as it says."""

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "codecs.md"
TYPES = {"json": b"application/json", "ndjson": b"application/x-ndjson", "csv": b"text/csv"}
EXAMPLES = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("example", "count"), list(zip(EXAMPLES, [3, 3, 3, 3, 2, 3], strict=True)), ids=str
)
def test_each_example_is_read(read, example, count):
    form, text = example
    assert len(read(text.encode(), TYPES[form]).batch) == count
