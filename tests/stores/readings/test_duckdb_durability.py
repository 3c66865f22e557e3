"""What the DuckDB store acknowledged outlives kill -9, a lost log, a full disk; one process only."""

import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from barograph.domain.batch import Batch
from barograph.domain.errors import ConfigurationError
from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes

TINY = Sizes(
    spill_rows=400, tail_rows_max=1_500, segment_rows=4_000, slice_rows=700, pressed_seconds=0
)


def open_store(directory, **settings):
    return DuckDBReadingStore(directory, memory_mb=128, **settings)


def child(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


APPENDER = """
    import sys, threading
    from pathlib import Path
    from barograph.domain.batch import Batch
    from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes
    directory, number = Path(sys.argv[1]), int(sys.argv[2])
    store = DuckDBReadingStore(
        directory,
        memory_mb=128,
        journal_segment_bytes_max=20_000,
        sizes=Sizes(spill_rows=400, tail_rows_max=1_500, segment_rows=4_000, slice_rows=700),
    )
    def maintain():
        while True:
            store.maintain()
            threading.Event().wait(0.002)
    threading.Thread(target=maintain, daemon=True).start()
    while True:
        # Batch n holds times 10 n … 10 n + 9 of five series, and the batch before it once more.
        times = [time for n in (number - 1, number) if n >= 0 for time in range(10 * n, 10 * n + 10)]
        rows = [(s, t, float(s * 1_000_003 + t)) for t in times for s in range(1, 6)]
        rows += [(6, number, f"state {number}")]
        store.append(Batch.of(rows))
        print(number, flush=True)
        number += 1
"""


def test_what_was_acknowledged_survives_kill_9_exactly_once(tmp_path):
    directory = tmp_path / "readings"
    rng = random.Random(5)
    acknowledged, first = -1, 0
    for _ in range(5):
        appender = child(APPENDER, directory, first)
        for _ in range(rng.randrange(20, 120)):
            acknowledged = int(appender.stdout.readline())
        appender.kill()
        rest = appender.stdout.read().split()  # with what readline had read ahead
        appender.communicate()
        # A torn last line is a lower number, never a higher one.
        acknowledged = max([acknowledged, *(int(line) for line in rest if line.isdigit())])
        with_store = open_store(directory, sizes=TINY)
        seen = {
            (int(s), int(t)): v
            for batch in with_store.scan(range(1, 6))
            for s, t, v in zip(batch.series, batch.times, batch.values, strict=True)
        }
        stored = sum(len(batch) for batch in with_store.scan(range(1, 6)))
        texts = [r.value for batch in with_store.scan([6]) for r in batch.readings()]
        counts = with_store.counts()
        health = with_store.health()
        with_store.close()
        assert health.detail == "ok"
        assert stored == len(seen)
        assert all(value == s * 1_000_003 + t for (s, t), value in seen.items())
        last = len(texts) - 1
        assert last in {acknowledged, acknowledged + 1}
        assert texts == [f"state {n}" for n in range(last + 1)]
        assert len(seen) == 5 * 10 * (last + 1)
        assert counts == {**dict.fromkeys(range(1, 6), 10 * (last + 1)), 6: last + 1}
        first = last + 1


HOLDER = """
    import os, sys
    from pathlib import Path
    from barograph.domain.batch import Batch
    from barograph.stores.readings.duckdb import DuckDBReadingStore
    store = DuckDBReadingStore(Path(sys.argv[1]), memory_mb=128)
    for i in range(50):
        store.append(Batch.of([(1, i, float(i)), (2, i, f"t{i}")]))
    store.delete([1], __import__("barograph.domain.period").domain.period.Period(10, 20))
    store.append(Batch.of([(1, 15, 0.5), (1, 60, 60.0)]))
    store.counts()
    print("ready", flush=True)
    os.kill(os.getpid(), 9)
"""


def contents(store):
    return [
        (int(r.series), int(r.time), r.value)
        for batch in store.scan([1, 2])
        for r in batch.readings()
    ]


EXPECTED = sorted(
    [(1, i, float(i)) for i in range(50) if not 10 <= i < 20]
    + [(1, 15, 0.5), (1, 60, 60.0)]
    + [(2, i, f"t{i}") for i in range(50)],
    key=lambda r: (r[1], r[0]),
)


@pytest.fixture
def killed(tmp_path):
    """A store whose process was killed: everything in the journal and in DuckDB's own log."""
    directory = tmp_path / "readings"
    holder = child(HOLDER, directory)
    out, err = holder.communicate()
    assert out == b"ready\n", err
    assert (directory / "readings.duckdb.wal").stat().st_size > 0
    return directory


def test_a_deletion_is_not_undone_by_a_replay(killed):
    store = open_store(killed)
    assert contents(store) == EXPECTED
    store.close()
    store = open_store(killed)
    assert contents(store) == EXPECTED
    store.close()


def spoil_middle(wal):
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    wal.write_bytes(data)


def spoil_end(wal):
    data = bytearray(wal.read_bytes())
    data[-3] ^= 0xFF
    wal.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_middle,
        spoil_end,
        lambda wal: wal.write_bytes(b"no log at all" * 100),
        lambda wal: wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2]),
        Path.unlink,
    ],
    ids=["middle", "end", "everything", "half", "gone"],
)
def test_duckdbs_own_log_may_be_lost(killed, spoil, caplog):
    wal = killed / "readings.duckdb.wal"
    spoil(wal)
    store = open_store(killed)
    assert contents(store) == EXPECTED
    assert store.health().writable
    store.close()
    if "cannot replay" in caplog.text:
        assert list(killed.glob("readings.duckdb.wal.unreadable-*"))


def test_a_damaged_journal_is_told_by_health(tmp_path):
    store = open_store(tmp_path)
    for i in range(3):
        store.append(Batch.of([(1, i, float(i))]))
    [path] = (tmp_path / "journal").iterdir()
    copy = path.read_bytes()
    store.close()
    shutil.rmtree(tmp_path / "journal")
    (tmp_path / "readings.duckdb").unlink()
    (tmp_path / "journal").mkdir()
    data = bytearray(copy)
    at = data.index(np.array([1], "<i8").tobytes() + np.array([1.0]).tobytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    store = open_store(tmp_path)
    assert store.counts() == {1: 2}
    assert "records 2 to 2 are missing or damaged" in store.health().detail
    store.close()


def test_a_second_process_is_refused_with_advice(tmp_path):
    store = open_store(tmp_path)
    code = """
        import sys
        from pathlib import Path
        from barograph.domain.errors import ConfigurationError
        from barograph.stores.readings.duckdb import DuckDBReadingStore
        try:
            DuckDBReadingStore(Path(sys.argv[1]))
        except ConfigurationError as error:
            print(error)
    """
    out, err = child(code, tmp_path).communicate()
    assert b"another process" in out, err
    with pytest.raises(ConfigurationError, match="another process"):
        open_store(tmp_path)
    store.append(Batch.of([(1, 0, 1.0)]))
    assert store.counts() == {1: 1}
    store.close()
    open_store(tmp_path).close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "readings.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigurationError, match="cannot open"):
        open_store(tmp_path)


FILLER = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from barograph.domain.batch import Batch
    from barograph.domain.errors import StorageFull, Unavailable
    from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes

    # A limit on the size of files refuses writes as a full disk does.
    def disk(bytes_max):
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, resource.RLIM_INFINITY))

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = DuckDBReadingStore(
        Path(sys.argv[1]),
        memory_mb=128,
        backlog_readings_max=60_000,
        journal_segment_bytes_max=200_000,
        sizes=Sizes(spill_rows=30_000, tail_rows_max=100_000, segment_rows=200_000),
    )
    def batch(n):
        times = np.arange(n * 5_000, (n + 1) * 5_000)
        return Batch(times % 7 + 1, times, np.random.default_rng(n).random(5_000))

    stored, refused = 0, 0
    disk(1_500_000)
    for n in range(200):
        try:
            store.append(batch(stored))
            stored += 1
            store.maintain()
        except Unavailable as error:
            refused += 1
            told = error
            if refused > 5:
                break
    assert refused > 5, "the disk was never full"
    assert isinstance(told, StorageFull), told
    health = store.health()
    print("full", stored, health.writable, health.detail)
    disk(resource.RLIM_INFINITY)
    store.append(batch(stored))
    stored += 1
    counted = sum(store.counts().values())
    assert counted == stored * 5_000, (counted, stored)
    assert store.health().writable
    while store.maintain():
        pass
    assert sum(len(found) for found in store.scan(range(1, 8))) == stored * 5_000
    store.close()
    print("stored", stored)
"""


def test_a_full_disk_is_said_loses_nothing_and_heals_by_itself(tmp_path):
    filler = child(FILLER, tmp_path / "readings")
    out, err = filler.communicate()
    assert filler.returncode == 0, err.decode()
    stored = int(out.split()[-1])
    store = open_store(tmp_path / "readings")
    assert sum(store.counts().values()) == stored * 5_000
    store.close()


def test_the_journal_does_not_grow_for_ever(tmp_path):
    store = open_store(tmp_path, journal_segment_bytes_max=10_000, sizes=TINY)
    for n in range(100):
        times = np.arange(n * 100, (n + 1) * 100)
        store.append(Batch(times % 5, times, times * 1.0))
        store.counts()
        while store.maintain():
            pass
    assert len(list((tmp_path / "journal").iterdir())) < 10
    store.close()
    assert sum(path.stat().st_size for path in (tmp_path / "journal").iterdir()) < 1_000


def test_a_slow_reader_does_not_stop_checkpoints_and_loses_nothing(tmp_path):
    store = open_store(tmp_path, sizes=Sizes(spill_rows=1_000, reader_seconds_max=0.0))
    times = np.arange(200_000)
    store.append(Batch(times % 2, times, times * 1.0))
    scan = store.scan([0, 1])
    found = [next(scan)]
    store.append(Batch(times[:2_000] % 2, times[:2_000] + 1_000_000, times[:2_000] * 1.0))
    store.counts()
    assert store.maintain()
    found += scan
    seen = np.concatenate([np.asarray(batch.times) for batch in found])
    assert (np.diff(seen) > 0).all()
    assert set(range(200_000)) <= set(seen.tolist())
    store.close()
