"""`barograph move`: a whole installation from one store into another, and on."""

import contextlib
import math
import shutil
import sqlite3
from itertools import pairwise

import httpx
import numpy as np
import pytest
from tests.conftest import Server
from tests.databases import empty_database
from tests.waiting import PATIENCE_SECONDS

from barograph import config
from barograph.client import Client
from barograph.domain.batch import Batch
from barograph.domain.errors import Conflict
from barograph.services.moving import Digest, copy_readings, digest_of
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.copying import _PASSING, MARK, CatalogCopy, _tables
from barograph.stores.catalog.schema import metadata
from barograph.stores.readings.memory import MemoryReadingStore
from barograph.wiring.stores import open_readings

PASSWORD = "a barograph draws 1"
START = 1_760_000_000
DAY = "start_time=2025-10-09&end_time=2025-10-10"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A data directory with something of everything, and what its server answered."""
    server = Server(tmp_path_factory.mktemp("installation"), "--auth", "required")
    with Client(server.url, server.token) as client:
        ada = client.create_user("Ada", "ada@example.org", password=PASSWORD)
        asset = client.create_asset("car", "Škoda", {"doors": 5, "b": [1, {"a": None}]})
        device = client.create_device("Küche", key="kitchen/1", user_id=ada.id, asset_id=asset.id)
        gone = client.create_device("Gone", key="gone", user_id=ada.id)
        client.write(gone.id, {"x": 1})
        client.delete_device(gone.id)
        rows = {
            "ts": [START + i for i in range(5_000)],
            "temperature": [math.sin(i) for i in range(5_000)],
            "door": ["open" if i % 3 else "zu 🚪" for i in range(5_000)],
        }
        client.write(device.id, rows)
        question = {"name": "d", "cron": "0 6 * * *", "question": {"devices": [device.id]}}
        headers = {"Authorization": f"Bearer {ada.token}"}
        httpx.post(
            server.url + "/api/schedules", json=question, headers=headers, timeout=PATIENCE_SECONDS
        ).raise_for_status()
        report = client.wait(client.make_report(devices=[device.id], period="24h")).result
    assert report["report_id"]
    before = answers(server.url, ada.token)
    assert server.stop() == 0
    return server.directory / "data", ada.token, before


@pytest.fixture
def furnished(installation, tmp_path):
    """A copy of that directory, and the token of its user."""
    shutil.copytree(installation[0], tmp_path / "data")
    return tmp_path / "data", installation[1]


def answers(url, token):
    """What an installation says, to compare."""
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS
    ) as client:
        signed_in = client.post("/auth", json={"username": "ada", "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        told = [
            client.get(path)
            for path in (
                "/api/users/me",
                "/api/devices",
                "/api/assets",
                "/api/schedules",
                "/api/devices/kitchen%2F1/latest",
                f"/api/analytics/devices/kitchen%2F1?stats=count,sum,median,mode&{DAY}",
                "/api/devices/kitchen%2F1/data?limit=20&order=desc",
            )
        ]
        assert [one.status_code for one in told] == [200] * len(told)
        return [one.json() for one in told]


def retained(directory):
    with contextlib.closing(sqlite3.connect(directory / "mqtt.db")) as database:
        return database.execute("SELECT * FROM retained").fetchall()


def test_between_data_directories_what_mqtt_keeps_moves_too_else_it_is_said_what_to_copy(
    barograph, furnished, tmp_path
):
    directory, _ = furnished
    with contextlib.closing(sqlite3.connect(directory / "mqtt.db")) as database, database:
        columns = len(database.execute("PRAGMA table_info(retained)").fetchall())
        database.execute(f"INSERT INTO retained VALUES ({','.join(['1'] * columns)})")
    (directory / "mqtt-bridge.json").write_text("{}")
    ran = barograph("move", "--from", directory, "--to", tmp_path / "new")
    assert ran.status == 0, ran.err
    assert "was not moved" not in ran.out
    assert len(retained(tmp_path / "new")) == 1
    assert retained(tmp_path / "new") == retained(directory)
    assert (tmp_path / "new" / "mqtt-bridge.json").read_text() == "{}"
    there = f"sqlite:///{tmp_path}/one.db"
    ran = barograph("move", "--from", tmp_path / "new", "--to", there)
    told = " ".join(ran.out.split())
    assert "What MQTT keeps (sessions, retained messages) lies in files" in told
    assert f"with the same data directory as before ({tmp_path}/new)".replace(" ", "") in (
        told.replace(" ", "")
    )


def test_an_installation_moves_through_every_store_and_back(
    barograph, furnished, installation, tmp_path
):
    directory, token = furnished
    before = installation[2]
    with contextlib.ExitStack() as opened:
        places = [
            directory,
            opened.enter_context(empty_database("postgresql", tmp_path)),
            opened.enter_context(empty_database("mysql", tmp_path)),
            f"sqlite:///{tmp_path}/one-file.db",
            tmp_path / "back" / "data",
        ]
        for source, target in pairwise(places):
            ran = barograph("move", "--from", source, "--to", target)
            assert ran.status == 0, ran.err
            assert "10,000 readings of" in ran.out
        again = barograph("move", "--from", places[-2], "--to", places[-1])
        assert again.status != 0
        assert "is not empty" in again.err
        # The next device gets the id that it would have got: ids are not used twice.
        moved = SqlCatalog(f"sqlite:///{places[-1]}/data.db")
        made = moved.devices.create(None, "next", None, None, {}, 1)
        moved.devices.delete(made.id)
        moved.close()
        assert made.id == max(device["id"] for device in before[1]["items"]) + 2
    (tmp_path / "back").mkdir(exist_ok=True)
    server = Server(tmp_path / "back", "--auth", "required")
    try:
        assert answers(server.url, token) == before
    finally:
        server.stop()


def test_a_move_that_was_interrupted_goes_on_and_is_not_served_before(
    barograph, furnished, tmp_path
):
    directory, _ = furnished
    target = tmp_path / "other"
    target.mkdir()
    source_url, target_url = (f"sqlite:///{place}/data.db" for place in (directory, target))

    def interrupt(table, _):
        if table == "series":
            raise KeyboardInterrupt

    with (
        contextlib.closing(CatalogCopy(source_url, target_url)) as copy,
        pytest.raises(KeyboardInterrupt),
    ):
        copy.run(interrupt)
    with contextlib.closing(SqlCatalog(target_url)) as half:
        assert half.secrets.get(MARK) is not None
    served = barograph("serve", "--port", "0", "--data-dir", target)
    assert served.status != 0
    assert "did not finish" in served.err
    assert "did not finish" in barograph("move", "--from", target, "--to", tmp_path / "third").err
    ran = barograph("move", "--from", directory, "--to", target)
    assert ran.status == 0, ran.err
    with contextlib.closing(SqlCatalog(target_url)) as whole:
        assert whole.secrets.get(MARK) is None
        assert whole.users.find("ada").email == "ada@example.org"


def test_a_catalog_and_readings_can_lie_apart(barograph, furnished, tmp_path):
    directory, _ = furnished
    catalog, readings = (f"sqlite:///{tmp_path}/{name}.db" for name in ("catalog", "readings"))
    ran = barograph("move", "--from", directory, "--to", catalog, "--to-readings", readings)
    assert ran.status == 0, ran.err
    back = tmp_path / "third"
    ran = barograph("move", "--from", catalog, "--from-readings", readings, "--to", back)
    assert ran.status == 0, ran.err
    settings = config.load(None, data_dir=back)
    with contextlib.closing(open_readings(settings)) as store:
        assert sum(store.counts().values()) == 10_000


def test_what_cannot_be_moved_is_said(barograph, furnished, serve, tmp_path):
    directory, _ = furnished
    for source, target, message in (
        (tmp_path / "nowhere", tmp_path / "a", "there is no such directory"),
        (directory, directory, "same place"),
        (f"sqlite:///{tmp_path}/empty.db", tmp_path / "a", "no catalog of Barograph"),
        (directory, "oracle://host/name", "oracle"),
    ):
        ran = barograph("move", "--from", source, "--to", target)
        assert ran.status != 0
        assert message in ran.err, ran.err
    serve()
    assert "stop it first" in barograph("move", "--from", directory, "--to", tmp_path / "a").err


# The copying of readings, on stores in memory


def filled(readings):
    store = MemoryReadingStore()
    store.append(Batch.of(readings))
    return store


READINGS = [(1, 5, 1.5), (1, 6, -0.0), (2, 5, "open"), (2, 7, math.pi), (300, 5, 4.0)]


def test_what_is_there_already_is_not_copied_again():
    source, target = filled(READINGS), filled(READINGS[:4])
    appended = []
    append = target.append
    target.append = lambda batch: (appended.append(len(batch)), append(batch))
    moved = copy_readings(source, target, [1, 2, *range(10, 250), 300], lambda _: None)
    assert (moved.readings, appended) == (5, [1])


def test_half_a_group_is_copied_whole():
    target = filled(READINGS[:2])
    copy_readings(filled(READINGS), target, [1, 2, 300], lambda _: None)
    assert digest_of(target.scan([1, 2, 300])) == digest_of(filled(READINGS).scan([1, 2, 300]))


def test_a_target_with_other_readings_is_noticed():
    target = filled([(1, 99, 1.0)])
    with pytest.raises(Conflict, match="5 readings were copied, and 6"):
        copy_readings(filled(READINGS), target, [1, 2, 300], lambda _: None)


@pytest.mark.parametrize(
    "changed",
    [
        [(1, 5, 1.5000000001), *READINGS[1:]],
        [(1, 4, 1.5), *READINGS[1:]],
        [(3, 5, 1.5), *READINGS[1:]],
        [*READINGS[:2], (2, 5, "opened"), *READINGS[3:]],
        [*READINGS[:2], (2, 5, 0.0), *READINGS[3:]],
        [(1, 5, -0.0), (1, 6, 1.5), *READINGS[2:]],
        READINGS[1:],
    ],
)
def test_the_checksum_differs_where_anything_does(changed):
    one, other = Digest(), Digest()
    one.add(Batch.of(READINGS))
    other.add(Batch.of(changed))
    assert one.checksum != other.checksum


def test_the_checksum_knows_no_order_and_no_cuts():
    one, other = Digest(), Digest()
    one.add(Batch.of(READINGS))
    for reading in np.random.default_rng(1).permutation(len(READINGS)):
        other.add(Batch.of([READINGS[reading]]))
    assert one == other


def test_every_table_is_moved_or_known_to_be_passing():
    assert {table.name for table in _tables()} | _PASSING == set(metadata.tables)
