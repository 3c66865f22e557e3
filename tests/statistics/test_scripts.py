"""The scripts' expected rows are what pandas and NumPy compute, and leave no statistic out."""

from pathlib import Path

import pytest
from tests.statistics.expect import rows
from tests.statistics.script import read_scripts

from barograph.domain.statistic import REFERENCE

SCRIPTS = read_scripts(Path(__file__).parent)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_the_expected_rows_are_what_pandas_computes(script):
    assert script.evals
    for question in script.evals:
        found = rows(script, question)
        where = f"{script.path.name}, line {question.line}"
        assert [row.start for row in question.expected] == [row.start for row in found], where
        for expected, computed in zip(question.expected, found, strict=True):
            assert list(expected.values) == question.stats, where
            for name, value in computed.values.items():
                wanted = value if value is None else pytest.approx(value, rel=1e-13, abs=0)
                assert expected.values[name] == wanted, f"{where}: {name}"


def test_every_statistic_is_in_a_script():
    asked = {name for script in SCRIPTS for question in script.evals for name in question.stats}
    assert {name for name in asked if not name.startswith("p")} == set(REFERENCE)
    assert {"p0", "p100", "p50", "p99.9"} <= asked
