import gc
import subprocess
import sys

import pytest

from barograph.cli.memory import _code, growing, settled

_PROGRAM = """
import re, duckdb
from pathlib import Path
from barograph.cli.memory import settle, settled
def code():
    found = re.findall(r"r-xp .*_duckdb.*\\n(?:.*\\n)*?Rss: +(\\d+)", Path("/proc/self/smaps").read_text())
    return sum(map(int, found))
ask = lambda: duckdb.sql("SELECT sum(i) FROM range(1000) t(i)").fetchall()
ask()
before = code()
with settled():
    settle()
    print(before, code(), ask()[0][0])
"""


def test_only_code_that_is_mapped_from_a_file_and_never_written_is_named(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text(
        "1000-3000 r-xp 00000000 fe:00 42   /usr/lib/libc with a blank.so\n"
        "3000-4000 rw-p 00002000 fe:00 42   /usr/lib/libc with a blank.so\n"
        "4000-5000 rwxp 00000000 fe:00 43   /usr/lib/patched.so\n"
        "7000-8000 r-xp 00000000 00:00 0    [vdso]\n"
        "8000-9000 rw-p 00000000 00:00 0 \n"
    )
    assert list(_code(maps)) == [(0x1000, 0x3000)]


def test_a_system_without_the_list_of_mappings_names_none(tmp_path):
    assert list(_code(tmp_path / "none")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' madvise")
def test_the_program_runs_on_after_it_gave_its_code_back():
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    before, after, total = map(int, ran.stdout.split())
    assert after < before
    assert total == 499_500


def test_a_server_that_ends_has_nothing_to_say_about_leaks(serve):
    server = serve()
    assert server.stop() == 0
    assert "leak" not in server.log.read_text()


def test_the_collector_is_off_while_the_program_grows_and_on_when_it_has_settled():
    with growing():
        assert not gc.isenabled()
        with settled():
            assert gc.isenabled()
            assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
