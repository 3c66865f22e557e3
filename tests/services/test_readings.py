from threading import Event, Thread

import pandas as pd
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.codecs.rows import rows
from barograph.domain.batch import Batch
from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.time import HOUR, SECOND, from_text
from barograph.domain.user import OPERATOR, Principal
from barograph.services.readings import Readings
from barograph.services.writer import Writer
from barograph.stores.readings.parquet import write_parquet

T0 = from_text("2026-01-01T00:00:00Z")


@pytest.fixture
def device(fleet):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + i * SECOND, float(i)) for i in range(10)])
    fleet.send(device, "y", [(T0 + i * SECOND, 10.0 * i) for i in range(0, 10, 2)])
    return device


@pytest.fixture
def read(core):
    def read(device, principal=OPERATOR, **given):
        selection = core.readings.select(principal, device.id, given)
        excerpt = core.readings.read(selection)
        return list(rows(excerpt, selection.series)), excerpt.cursor

    return read


def test_all_readings_come_in_order_of_time(device, read):
    found, cursor = read(device)
    assert found[:2] == [
        {"ts": "2026-01-01T00:00:00Z", "x": 0.0, "y": 0.0},
        {"ts": "2026-01-01T00:00:01Z", "x": 1.0},
    ]
    assert (len(found), cursor) == (10, None)


def test_metrics_and_period_narrow_the_readings(device, read):
    found, _ = read(device, metric="y", start_time=T0 + 2 * SECOND, end_time=T0 + 6 * SECOND)
    assert [row["y"] for row in found] == [20.0, 40.0]
    assert read(device, metric="never") == ([], None)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
def test_pages_make_up_the_whole(device, read, order, limit):
    whole, _ = read(device, order=order)
    pages, cursor = [], None
    while True:
        page, cursor = read(device, order=order, limit=limit, cursor=cursor)
        assert len(page) <= limit
        pages += page
        if cursor is None:
            break
        assert len(page) == limit
    assert pages == whole


def test_rows_beyond_a_batch_of_the_store_are_cut_where_they_end(fleet, read):
    device = fleet.device()
    for metric in "ab":
        fleet.send(device, metric, [(T0 + i, float(i)) for i in range(33_000)])
    page, cursor = read(device, limit=32_900)
    assert len(page) == 32_900
    assert len(read(device, limit=100, cursor=cursor)[0]) == 100
    assert read(device, limit=32_768)[1] is not None
    assert read(device, limit=33_000)[1] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", "up"),
        ("limit", "0"),
        ("limit", "1000001"),
        ("limit", "9" * 5000),
        ("limit", "1.5"),
        ("cursor", "abc"),
        ("start_time", "soon"),
        ("tz", "Nowhere"),
    ],
)
def test_a_wrong_parameter_is_named(core, device, name, value):
    with pytest.raises(InvalidInput) as caught:
        core.readings.select(OPERATOR, device.id, {name: value})
    assert [problem.at for problem in caught.value.problems] == [name]


def test_a_cursor_of_the_other_order_is_refused(device, read):
    _, cursor = read(device, limit=1)
    with pytest.raises(InvalidInput, match="other order"):
        read(device, order="desc", cursor=cursor)


def test_another_users_device_is_not_there(core, fleet):
    anna, boris = fleet.user("anna"), fleet.user("boris")
    device = fleet.device(owner=anna)
    with pytest.raises(NotFound):
        core.readings.select(boris, device.id, {})
    with pytest.raises(NotFound):
        core.readings.delete(boris, device.id, {})


def test_one_reading_is_found_by_its_place(core, fleet):
    series = fleet.send(fleet.device(), "x", [(T0, 1.0), (T0 + 1, 2.0)])
    assert core.readings.reading(series, T0 + 1).value == 2.0
    assert core.readings.reading(series, T0 + 2) is None


def test_removing_tells_how_many_and_moves_latest_back(core, fleet):
    device = fleet.device()
    series = fleet.send(device, "x", [(T0, 1.0), (T0 + HOUR, 2.0), (T0 + 2 * HOUR, 3.0)])
    deleted = core.readings.delete(OPERATOR, device.id, {"start_time": T0 + HOUR})
    assert deleted == 2
    assert core.latest.of_series([series])[series].value == 1.0
    assert core.readings.delete(OPERATOR, device.id, {}) == 1
    assert core.latest.of_series([series]) == {}


def test_removing_an_unknown_metric_removes_nothing(core, device):
    assert core.readings.delete(OPERATOR, device.id, {"metric": "z"}) == 0
    assert len(core.store.counts()) == 2


def test_removing_with_an_unknown_parameter_removes_nothing(core, device):
    with pytest.raises(InvalidInput, match="metrics"):
        core.readings.delete(OPERATOR, device.id, {"metrics": "x"})
    assert len(core.store.counts()) == 2


@pytest.mark.parametrize(
    "given", [{"metric": ""}, {"metric": " , "}, {"metric": []}, {"start_time": "", "metric": "x"}]
)
def test_removing_with_a_parameter_that_says_nothing_removes_nothing(core, device, given):
    with pytest.raises(InvalidInput, match="empty"):
        core.readings.delete(OPERATOR, device.id, given)
    assert len(core.store.counts()) == 2


def test_a_viewer_removes_nothing(core, fleet):
    viewer = fleet.user("vera", role="viewer")
    device = fleet.device(owner=viewer)
    with pytest.raises(Forbidden):
        core.readings.delete(viewer, device.id, {})


def test_who_asks_sees_the_devices_that_are_theirs(core, fleet):
    anna, admin = fleet.user("anna"), fleet.user("root", role="admin")
    hers, other = fleet.device(owner=anna), fleet.device()
    assert core.readings.devices(anna) == [hers]
    assert core.readings.devices(admin) == core.readings.devices(OPERATOR) == [hers, other]
    assert core.readings.devices(Principal("device", device_id=other.id)) == [other]
    assert core.readings.devices(Principal("device", device_id=99)) == []


def test_parquet_is_what_pandas_reads_back(core, fleet, tmp_path):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + i, float(i)) for i in range(70_000)])
    fleet.send(device, 'a "b", c', [(T0 + 5, "on"), (T0 + 7, 3.0)])
    selection = core.readings.select(OPERATOR, device.id, {"order": "desc"})
    core.readings.export_parquet(selection, tmp_path / "readings.parquet")
    frame = pd.read_parquet(tmp_path / "readings.parquet")
    assert list(frame.columns) == ["ts", "x", 'a "b", c']
    assert frame["x"].tolist() == [float(i) for i in reversed(range(70_000))]
    assert str(frame["ts"].dt.tz) == "UTC"
    assert frame["ts"].iloc[-1] == pd.Timestamp("2026-01-01T00:00:00Z")
    assert frame['a "b", c'].dropna().tolist() == ["3.0", "on"]
    assert [path.name for path in tmp_path.glob("*parquet*")] == ["readings.parquet"]


def test_parquet_tells_metrics_apart_that_differ_in_case_only(core, fleet, tmp_path):
    device = fleet.device()
    for metric in ("t", "T", "ts"):
        fleet.send(device, metric, [(T0, 1.0)])
    selection = core.readings.select(OPERATOR, device.id, {})
    core.readings.export_parquet(selection, tmp_path / "a.parquet")
    assert list(pd.read_parquet(tmp_path / "a.parquet").columns) == ["ts", "t", "T_2", "ts_2"]


def test_parquet_of_nothing_is_a_table_without_rows(core, fleet, tmp_path):
    selection = core.readings.select(OPERATOR, fleet.device().id, {})
    core.readings.export_parquet(selection, tmp_path / "a.parquet")
    assert pd.read_parquet(tmp_path / "a.parquet").empty


def test_a_reading_that_is_deleted_before_its_commit_is_told_is_not_the_newest(core, device):
    committed, deleted, told = Event(), Event(), Event()

    def tell(batch):
        committed.set()
        assert deleted.wait(PATIENCE_SECONDS)
        core.latest.update(batch)
        told.set()

    def settle():
        deleted.set()  # from the store, but not yet from what is told
        writer.settle()
        assert told.is_set()

    writer = Writer(core.store, backlog_readings_max=100, on_commit=(tell,))
    readings = Readings(
        core.registry,
        core.store,
        core.latest,
        settle,
        core.clock,
        core.limits,
        core.zone,
        write_parquet,
        core.accounts.audit,
    )
    series = core.registry.series_of(device.id)["x"]
    late = T0 + 60 * SECOND
    sending = Thread(target=writer.write, args=[Batch.of([(series, late, 1.0)])])
    sending.start()
    assert committed.wait(PATIENCE_SECONDS)
    assert readings.delete(OPERATOR, device.id, {"start_time": late}) == 1
    sending.join()
    assert core.latest.of_series([series])[series].time == T0 + 9 * SECOND
    writer.close()
