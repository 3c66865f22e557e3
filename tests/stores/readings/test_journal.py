"""The journal: what it gave back is what was synced, whatever tears, fills up or rots."""

import errno
import os
import resource
import signal

import pytest

from barograph.domain.errors import Overloaded, StorageFull, Unavailable
from barograph.stores.readings import journal as module
from barograph.stores.readings.journal import Journal


def write(directory, *payloads, **settings):
    journal = Journal(directory, **settings)
    numbers = [journal.append([payload]) for payload in payloads]
    journal.close()
    return numbers


def read(directory, after=0, **settings):
    journal = Journal(directory, **settings)
    found = list(journal.records(after))
    return found, journal


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "journal"


def files(directory):
    return sorted(directory.iterdir())


def test_records_come_back_in_order_with_their_numbers(directory):
    assert write(directory, b"a", b"", b"ccc") == [1, 2, 3]
    assert read(directory)[0] == [(1, b"a"), (2, b""), (3, b"ccc")]
    assert read(directory, after=2)[0] == [(3, b"ccc")]


def test_numbers_go_on_after_reopening(directory):
    write(directory, b"a", b"b")
    assert write(directory, b"c") == [3]
    assert read(directory)[0] == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_record_may_come_in_pieces(directory):
    journal = Journal(directory)
    journal.append([b"one ", memoryview(b"two")])
    journal.close()
    assert read(directory)[0] == [(1, b"one two")]


def test_segments_are_one_journal(directory):
    payloads = [bytes([i]) * 50 for i in range(20)]
    write(directory, *payloads, segment_bytes_max=200)
    assert len(files(directory)) > 3
    found, journal = read(directory, segment_bytes_max=200)
    assert found == list(enumerate(payloads, 1))
    assert not journal.damage


def test_forgetting_keeps_what_is_newer(directory):
    journal = Journal(directory, segment_bytes_max=200)
    for i in range(20):
        journal.append([bytes([i]) * 50])
    journal.forget(13)
    assert [number for number, _ in journal.records(13)] == list(range(14, 21))
    journal.forget(20)
    assert list(journal.records(20)) == []
    assert len(files(directory)) == 1
    assert journal.append([b"next"]) == 21
    journal.close()
    assert read(directory, after=20, floor=20)[0] == [(21, b"next")]


def test_numbers_never_fall_below_what_the_owner_has(directory):
    journal = Journal(directory, floor=41)
    assert journal.append([b"a"]) == 42
    journal.close()


def test_a_torn_tail_is_cut_off_at_every_byte(directory):
    write(directory, b"first", b"second")
    [path] = files(directory)
    before = path.stat().st_size
    write(directory, b"the last record, which tears")
    whole = files(directory)[-1].read_bytes()
    last = files(directory)[-1]
    for length in range(len(whole)):
        last.write_bytes(whole[:length])
        found, journal = read(directory)
        assert found == [(1, b"first"), (2, b"second")]
        assert not journal.damage
        assert journal.append([b"again"]) == 3
        journal.close()
        assert read(directory)[0][-1] == (3, b"again")
        for path_after in files(directory)[1:]:
            if path_after != last:
                path_after.unlink()
    assert files(directory)[0].stat().st_size == before


def test_a_tail_torn_within_a_file_keeps_what_precedes_it(directory):
    write(directory, b"first", b"second", b"third")
    [path] = files(directory)
    whole = path.read_bytes()
    third = len(whole) - 16 - len(b"third")
    for length in range(third, len(whole)):
        path.write_bytes(whole[:length])
        assert read(directory)[0] == [(1, b"first"), (2, b"second")]


def test_a_wrong_bit_in_the_last_record_makes_it_no_record(directory):
    write(directory, b"first", b"second")
    [path] = files(directory)
    whole = bytearray(path.read_bytes())
    whole[-2] ^= 1
    path.write_bytes(whole)
    assert read(directory)[0] == [(1, b"first")]


def test_damage_in_the_middle_is_said_and_the_rest_is_kept(directory):
    write(directory, b"first", b"second", b"third")
    [path] = files(directory)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"second")] ^= 1
    path.write_bytes(whole)
    found, journal = read(directory)
    assert found == [(1, b"first"), (3, b"third")]
    assert any("records 2 to 2" in said for said in journal.damage)


def with_a_wrong_length(whole, payload):
    """The journal's bytes, the payload's record claiming to be longer than the file."""
    header = whole.index(payload) - 16
    whole[header + 3] ^= 1
    return bytes(whole)


@pytest.mark.parametrize("damaged", [b"first", b"second"])
def test_damage_to_a_records_length_takes_no_other_record_with_it(directory, damaged):
    payloads = [b"first", b"second", b"third", b"fourth"]
    write(directory, *payloads)
    [path] = files(directory)
    path.write_bytes(with_a_wrong_length(bytearray(path.read_bytes()), damaged))
    found, journal = read(directory)
    assert [payload for _, payload in found] == [one for one in payloads if one != damaged]
    number = payloads.index(damaged) + 1
    assert any(f"records {number} to {number}" in said for said in journal.damage)
    assert journal.append([b"fifth"]) == 5


def test_damage_to_the_beginning_of_a_file_takes_no_record_with_it(directory):
    write(directory, b"first", b"second")
    [path] = files(directory)
    path.write_bytes(b"B" + path.read_bytes()[1:])
    found, journal = read(directory)
    assert found == [(1, b"first"), (2, b"second")]
    assert "begin like a journal" in journal.damage[0]


def test_a_damaged_file_is_kept_when_its_records_are_forgotten(directory):
    write(directory, b"first", b"second", b"third")
    [path] = files(directory)
    damaged = with_a_wrong_length(bytearray(path.read_bytes()), b"second")
    path.write_bytes(damaged)
    _, journal = read(directory)
    journal.append([b"fourth"])
    journal.forget(4)
    assert not path.exists()
    assert path.with_suffix(".damaged").read_bytes() == damaged


def test_a_file_that_is_none_of_ours_is_set_aside_and_nothing_of_it_cut(directory):
    write(directory, b"first")
    strange = directory / f"{2:020d}.journal"
    strange.write_bytes(b"not a journal" * 100)
    found, journal = read(directory)
    assert found == [(1, b"first")]
    assert journal.damage
    assert journal.append([b"second"]) == 2
    journal.close()
    assert strange.with_suffix(".damaged").read_bytes() == b"not a journal" * 100
    assert read(directory)[0] == [(1, b"first"), (2, b"second")]


def test_what_was_never_filled_is_cut_off_and_no_damage(directory):
    write(directory, b"first")
    [path] = files(directory)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(5_000))
    found, journal = read(directory)
    assert found == [(1, b"first")]
    assert not journal.damage
    assert path.read_bytes() == whole


def test_a_missing_file_is_said(directory):
    write(directory, *[bytes([i]) * 50 for i in range(20)], segment_bytes_max=200)
    files(directory)[1].unlink()
    found, journal = read(directory)
    assert 0 < len(found) < 20
    assert journal.damage


def test_what_an_abandoned_file_holds_beyond_the_next_ones_name_does_not_count(directory):
    # A record whose sync failed may be in the old file; its number was given again.
    write(directory, b"first", b"never acknowledged")
    journal = Journal(directory / "other")
    journal.append([b"x"])
    journal.append([b"the second"])
    journal.close()
    donor = files(directory / "other")[0].read_bytes()
    second = donor[-(16 + len(b"the second")) :]
    magic = donor[: donor.index(b"\n") + 1]
    (directory / f"{2:020d}.journal").write_bytes(magic + second)
    assert read(directory)[0] == [(1, b"first"), (2, b"the second")]


def test_after_a_failed_sync_the_handle_is_not_used_again(directory):
    journal = Journal(directory)
    journal.append([b"first"])
    handle = journal._handle
    # A pipe cannot be synced: the kernel refuses as it does for a failed disk.
    reading, writing = os.pipe()
    os.dup2(writing, handle)
    with pytest.raises(Unavailable):
        journal.append([b"second"])
    os.close(reading)
    os.close(writing)
    assert journal.append([b"second, again"]) == 2
    journal.close()
    assert read(directory)[0] == [(1, b"first"), (2, b"second, again")]
    assert len(files(directory)) == 2


def test_a_full_disk_takes_nothing_back_and_goes_on_when_there_is_room(directory):
    journal = Journal(directory)
    journal.append([b"first"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StorageFull):
            journal.append([os.urandom(20_000)])
        assert journal.append([b"second"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert journal.append([os.urandom(20_000)]) == 3
    journal.close()
    found, journal = read(directory)
    assert [number for number, _ in found] == [1, 2, 3]
    assert not journal.damage


def test_a_directory_that_cannot_be_written_is_unavailable(directory):
    journal = Journal(directory)
    directory.rename(directory.with_name("moved"))
    with pytest.raises(Unavailable) as caught:
        journal.append([b"first"])
    assert caught.value.__cause__.errno == errno.ENOENT
    directory.with_name("moved").rename(directory)
    assert journal.append([b"first"]) == 1
    journal.close()


def test_a_record_that_reading_back_would_take_for_damage_is_refused(directory, monkeypatch):
    monkeypatch.setattr(module, "RECORD_BYTES_MAX", 100)
    journal = Journal(directory)
    journal.append([b"first"])
    with pytest.raises(Overloaded, match="send again"):
        journal.append([bytes(60), bytes(41)])
    assert journal.append([bytes(60), bytes(40)]) == 2
    journal.close()
    found, journal = read(directory)
    assert [number for number, _ in found] == [1, 2]
    assert not journal.damage


def test_the_way_to_a_new_directory_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module, "sync_directory", synced.append)
    module.make_directory(tmp_path / "data" / "readings")
    assert (tmp_path / "data" / "readings").is_dir()
    assert set(synced) == {tmp_path, tmp_path / "data"}
    synced.clear()
    module.make_directory(tmp_path / "data" / "readings")
    assert synced == []
