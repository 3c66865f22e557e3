"""The file by which other commands find the server."""

import contextlib

from tests.private_servers import small_disk
from tests.waiting import until

from barograph.cli import running


def fill(path):
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_server_on_a_full_disk_is_found_once_there_is_room(tmp_path):
    with small_disk(tmp_path / "data", 1) as disk:
        fill(disk / "ballast")
        with running.Announcement(disk, "http://localhost:8000", "token", 1883):
            assert running.find(disk) is None
            assert not (disk / running.FILE).exists()
            (disk / "ballast").unlink()
            assert until(lambda: running.find(disk)).url == "http://localhost:8000"
        assert not (disk / running.FILE).exists()
        fill(disk / "ballast")
        with running.Announcement(disk, "http://localhost:8000", "token"):
            pass
        assert not (disk / running.FILE).exists()
