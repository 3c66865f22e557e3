"""A SQLite catalog that several processes share, and one whose process is killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.stores.catalog.catalog import SqlCatalog

OPEN = "from barograph.stores.catalog.catalog import SqlCatalog; import sys\n"


def child(program, *arguments):
    """A running process of `program`, whose lines are read from its `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-c", OPEN + program, *arguments], stdout=subprocess.PIPE, text=True
    )


WRITER = """
catalog = SqlCatalog(sys.argv[1])
for number in range(60):
    catalog.devices.create(f"{sys.argv[2]}-{number}", "x", None, None, {}, 1)
    catalog.secrets.put("shared", sys.argv[2].encode())
catalog.close()
"""


def test_processes_write_to_one_new_catalog_at_once(sqlite_url):
    writers = [child(WRITER, sqlite_url, name) for name in ("a", "b", "c")]
    assert [(writer.wait(PATIENCE_SECONDS), writer.stdout.close()) for writer in writers] == [
        (0, None)
    ] * 3
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        keys = {device.key for device in catalog.devices.all()}
        assert keys == {f"{name}-{number}" for name in "abc" for number in range(60)}
        assert [device.id for device in catalog.devices.all()] == list(range(1, 181))


TAKER = """
catalog = SqlCatalog(sys.argv[1])
while job := catalog.jobs.take(sys.argv[2], 10, 1000):
    print(job.id)
catalog.close()
"""


def test_processes_take_each_job_once(sqlite_url):
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        jobs = [catalog.jobs.create("summary", {}, None, 5).id for _ in range(60)]
    takers = [child(TAKER, sqlite_url, name) for name in ("a", "b")]
    taken = [int(line) for taker in takers for line in taker.communicate(timeout=200)[0].split()]
    assert sorted(taken) == jobs


ADDER = """
catalog = SqlCatalog(sys.argv[1])
print([user.username for user in catalog.users.list(limit=9).items])
catalog.users.create(sys.argv[2], None, None, "member", 1)
catalog.close()
"""


def test_a_catalog_opened_twice_in_a_process_stays_shared_with_others(sqlite_url):
    """Closing a file ends all locks that the process has on it; SQLite's must outlive an opening."""
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        SqlCatalog(sqlite_url).close()
        # Were the lock lost, this child would remove the log that `catalog` goes on writing to.
        assert child(ADDER, sqlite_url, "ann").communicate(timeout=200)[0] == "[]\n"
        catalog.users.create("bob", None, None, "member", 1)
        assert child(ADDER, sqlite_url, "eve").communicate(timeout=200)[0] == "['ann', 'bob']\n"


DOOMED = """
catalog = SqlCatalog(sys.argv[1])
number = 0
while True:
    print(catalog.users.create(f"user-{number}", None, None, "member", 1).id, flush=True)
    number += 1
"""


def test_what_was_created_is_there_after_the_process_was_killed(sqlite_url):
    doomed = child(DOOMED, sqlite_url)
    told = [int(doomed.stdout.readline()) for _ in range(50)]
    doomed.send_signal(signal.SIGKILL)
    told += [int(line) for line in doomed.stdout]
    doomed.stdout.close()
    assert doomed.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        kept = [user.id for user in catalog.users.list(limit=100_000).items]
        assert kept[: len(told)] == told
        assert len(kept) <= len(told) + 1
        assert catalog.users.create("next", None, None, "member", 1).id > kept[-1]


TWENTY_COMMITS = """
catalog = SqlCatalog(sys.argv[1])
for number in range(20):
    catalog.secrets.put("key", b"%d" % number)
catalog.close()
"""


@pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("CI") != "true",
    reason="strace is not installed",
)
def test_a_catalog_syncs_every_commit(tmp_path, sqlite_url):
    """`kill -9` does not show it, a power failure would: ask the kernel what was asked of it."""
    trace = tmp_path / "trace"
    SqlCatalog(sqlite_url).close()
    tracing = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
    program = [sys.executable, "-c", OPEN + TWENTY_COMMITS, sqlite_url]
    subprocess.run([*tracing, *program], check=True, timeout=200)
    assert trace.read_text().count("sync(") >= 20
