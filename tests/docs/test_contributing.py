"""What CONTRIBUTING.md asks of the code and can be looked up."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_rule_that_is_passed_over_has_its_reason_on_the_line():
    mark = re.compile(r"# (?:type: ignore(?:\[[\w, -]+\])?|(?:ruff: )?noqa(?:: [\w, ]+)?)")
    unexplained = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("src", "tests", "docs", "bench", "load_tests")
        for file in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (found := list(mark.finditer(line))) and not line[found[-1].end() :].strip(" #-")
    ]
    assert unexplained == []
