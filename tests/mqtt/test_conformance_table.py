"""The table of normative statements names tests that exist."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "mqtt-conformance.md"
ROW = re.compile(r"^\| (MQTT-\d+\.\d+\.\d+-\d+) \| (.+) \| (.+) \|$")


def standards():
    """The rows of each standard's table."""
    found = {}
    for section in TABLE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = section.splitlines()
        rows = [line for line in lines if line.startswith("| MQTT-")]
        found[title] = [ROW.match(line) for line in rows]
        assert all(found[title]), title
    return found


def test_each_statement_is_named_once_and_none_is_left_out_between():
    tables = standards()
    assert set(tables) == {"MQTT 5.0", "MQTT 3.1.1"}
    for title, rows in tables.items():
        sections = {}
        for row in rows:
            section, _, number = row[1].rpartition("-")
            sections.setdefault(section, []).append(int(number))
        for section, numbers in sections.items():
            # 5.0 itself has no 2.2.1-1.
            start = 2 if (title, section) == ("MQTT 5.0", "MQTT-2.2.1") else 1
            assert numbers == list(range(start, start + len(numbers))), (title, section)


def test_each_test_in_the_table_exists():
    defined = {
        name
        for path in (*HERE.glob("test_*.py"), *HERE.parent.glob("acceptance/test_mqtt*.py"))
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text(encoding="utf-8")))
    assert named
    assert named <= defined, named - defined
