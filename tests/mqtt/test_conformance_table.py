"""The table of normative statements names tests that exist."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "mqtt-conformance.md"
ROW = re.compile(r"^\| (MQTT-\d+\.\d+\.\d+-\d+) \| (.+) \| (.+) \|$")

LAST = {
    "MQTT 5.0": """
    1.5.4-3 1.5.5-1 1.5.7-1 2.1.3-1 2.2.1-6 2.2.2-1 3.1.0-2 3.1.2-30 3.1.3-12 3.1.4-6 3.2.0-2
    3.2.2-22 3.3.1-13 3.3.2-20 3.3.4-10 3.4.2-3 3.5.2-3 3.6.1-1 3.6.2-3 3.7.2-3 3.8.1-1
    3.8.3-5 3.8.4-8 3.9.2-2 3.9.3-2 3.10.1-1 3.10.3-2 3.10.4-6 3.11.2-2 3.11.3-2 3.12.4-1
    3.14.0-1 3.14.1-1 3.14.2-4 3.14.4-3 3.15.1-1 3.15.2-3 4.1.0-2 4.2.0-1 4.3.1-1 4.3.2-5
    4.3.3-13 4.4.0-2 4.5.0-2 4.6.0-6 4.7.0-1 4.7.1-2 4.7.2-1 4.7.3-4 4.8.2-6 4.9.0-3 4.12.0-7
    4.12.1-2 4.13.1-1 4.13.2-1 6.0.0-4
    """,
    "MQTT 3.1.1": """
    1.5.3-3 2.2.2-2 2.3.1-7 3.1.0-2 3.1.2-24 3.1.3-11 3.1.4-5 3.2.0-1 3.2.2-6 3.3.1-12 3.3.2-3
    3.3.4-1 3.3.5-2 3.6.1-1 3.8.1-1 3.8.3-4 3.8.4-6 3.9.3-2 3.10.1-1 3.10.3-2 3.10.4-6
    3.12.4-1 3.14.1-1 3.14.4-3 4.1.0-2 4.3.1-1 4.3.2-2 4.3.3-2 4.4.0-1 4.5.0-2 4.6.0-6 4.7.1-3
    4.7.2-1 4.7.3-4 4.8.0-2 6.0.0-4 7.0.0-2 7.1.1-1 7.1.2-1
    """,
}
"""The last number of each section that has any: appendix B of either standard."""
OTHER_VERSION = {"MQTT 5.0": "_3_1_1_", "MQTT 3.1.1": "_5_0_"}


def standards():
    """The rows of each standard's table."""
    found = {}
    for section in TABLE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = section.splitlines()
        rows = [line for line in lines if line.startswith("| MQTT-")]
        found[title] = [ROW.match(line) for line in rows]
        assert all(found[title]), title
    return found


def test_each_statement_is_named_once_in_its_order():
    tables = standards()
    assert set(tables) == set(LAST)
    for title, rows in tables.items():
        sections = {}
        for row in rows:
            section, _, number = row[1].rpartition("-")
            sections.setdefault(section, []).append(int(number))
        last = dict(one.rsplit("-", 1) for one in LAST[title].split())
        assert [one.removeprefix("MQTT-") for one in sections] == list(last), title
        for section, numbers in sections.items():
            # 5.0 itself has no 2.2.1-1.
            start = 2 if (title, section) == ("MQTT 5.0", "MQTT-2.2.1") else 1
            expected = range(start, int(last[section.removeprefix("MQTT-")]) + 1)
            assert numbers == list(expected), (title, section)


def test_each_test_in_the_table_exists():
    defined = {
        name
        for path in (*HERE.glob("test_*.py"), *HERE.parent.glob("acceptance/test_mqtt*.py"))
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text(encoding="utf-8")))
    assert named
    assert named <= defined, named - defined


def test_a_row_names_no_test_of_the_other_version_only():
    for title, rows in standards().items():
        for row in rows:
            for name in re.findall(r"`(test_\w+)`", row[3]):
                assert OTHER_VERSION[title] not in name, row[1]
