"""The client and a real server."""

import asyncio
import contextlib
import inspect
import json
import sys
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from tests.acceptance.mqtt_clients import V5, Paho, Plan
from tests.waiting import PATIENCE_SECONDS

from barograph.client import (
    AsyncClient,
    Client,
    Conflict,
    InvalidInput,
    JobFailed,
    NoAnswer,
    NotFound,
    Retry,
    Summary,
    Unauthenticated,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_sync_and_async_clients_do_the_same_things():
    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)
    for name in public(Client):
        ours, theirs = vars(Client)[name], vars(AsyncClient)[name]
        if inspect.isfunction(ours):
            assert (
                str(inspect.signature(ours)).split("->")[0]
                == (str(inspect.signature(theirs)).split("->")[0])
            ), name
        elif not isinstance(ours, property):
            assert ours._build is theirs._build, name


def test_users_sign_in_hold_tokens_and_leave(client, server):
    ada = client.create_user("ada", "ada@example.org", "correct horse battery")
    with pytest.raises(Conflict):
        client.create_user("ADA", "other@example.org")
    with Client(server.url, ada.token) as hers:
        assert hers.me().username == "ada"
        made = hers.create_token("laptop")
        assert {token.name for token in hers.list_tokens()} == {"first token", "laptop"}
        hers.change_user(
            ada.id, password="hors correct battery", old_password="correct horse battery"
        )
    credentials = client.sign_in("ada", "hors correct battery")
    with Client(server.url, credentials.access_token) as hers:
        assert hers.me().id == ada.id
    renewed = client.refresh(credentials.refresh_token)
    client.sign_out(renewed.refresh_token)
    client.revoke_token(made.id, ada.id)
    with Client(server.url, made.token) as revoked, pytest.raises(Unauthenticated):
        revoked.me()
    assert client.create_token("by an administrator", ada.id).name == "by an administrator"
    assert "ada" in {user.username for user in client.users()}
    client.delete_user(ada.id)
    with pytest.raises(NotFound):
        client.get_user(ada.id)


def test_devices_and_assets(client, server):
    room = client.create_asset("room", "Kitchen", {"floor": 0})
    made = client.create_device("Sensor", key="floor/0:kitchen", asset_id=room.id)
    assert [device.id for device in client.get_asset(room.id).devices] == [made.id]
    assert client.get_device("floor/0:kitchen").id == made.id
    changed = client.change_device(made.id, name="New", attributes={"a": 1}, asset_id=None)
    assert (changed.name, changed.attributes, changed.asset_id) == ("New", {"a": 1}, None)
    fresh = client.rotate_device_token(made.id)
    with Client(server.url, fresh) as own:
        assert own.write(made.id, {"x": 1}) == 1
    assert client.get_device(made.id).last_seen is not None
    assert [asset.name for asset in client.assets(kind="room")] == ["Kitchen"]
    assert client.change_asset(room.id, name="Hall").name == "Hall"
    client.delete_asset(room.id)
    client.delete_device(made.id)
    with pytest.raises(NotFound):
        client.get_device(made.id)


def test_lists_go_over_pages(client):
    for i in range(205):
        client.create_device(f"Page {i}", key=f"page-{i}")
    found = [device.key for device in client.devices("page-")]
    assert found == [f"page-{i}" for i in range(205)]


@pytest.fixture(scope="module")
def course(server):
    """A device with 3 days of readings, one each minute, some of them text."""
    with Client(server.url, compression="zstd", rows_max=1_000) as client:
        client.create_device("Course", key="course")
        n = 3 * 24 * 60
        accepted = client.write(
            "course",
            {
                "ts": [NOON + timedelta(minutes=i) for i in range(n)],
                "x": [i % 100 for i in range(n)],
                "y": [None if i % 2 else i / 2 for i in range(n)],
                "door": ["open" if i % 60 < 10 else "closed" for i in range(n)],
            },
        )
    assert accepted == n + n // 2 + n
    return n


def test_what_was_written_is_read(client, course):
    rows = list(client.rows("course", page_rows=1_000))
    assert len(rows) == course
    assert rows[3] == {"ts": NOON + timedelta(minutes=3), "x": 3, "door": "open"}
    newest = client.read("course", metrics=["x", "y"], order="desc", limit=2)
    assert [row["ts"] for row in newest] == [
        NOON + timedelta(minutes=course - 1),
        NOON + timedelta(minutes=course - 2),
    ]
    part = client.read("course", start=NOON, end=NOON + timedelta(hours=1))
    assert len(part) == 60
    assert client.latest("course").metrics["door"].value == "closed"
    assert "course" in {one.key for one in client.latest_of_all()}


def test_writing_again_changes_nothing(client, course):
    rows = client.read("course", limit=100).rows
    assert client.write("course", rows) == sum(len(row) - 1 for row in rows)
    assert client.summary("course", metrics="x", stats="count")["x"]["count"] == course


def test_exports_are_files(client, course, tmp_path):
    path = tmp_path / "course.parquet"
    with client.export("course", "parquet") as pieces, path.open("wb") as file:
        file.writelines(pieces)
    import pandas as pd

    assert len(pd.read_parquet(path)) == course
    with pytest.raises(NotFound), client.export("nobody", "csv") as pieces:
        list(pieces)


def test_summaries_by_metric_and_by_bucket(client, course):
    whole = client.summary("course", metrics="x,y", stats="min,max,count,median")
    assert whole.metrics == ["x", "y"]
    assert whole["x"] == {
        "min": 0,
        "max": 99,
        "count": course,
        "median": median(i % 100 for i in range(course)),
    }
    daily = client.summary("course", metrics="x", stats="count", interval="1d", tz="UTC")
    assert [line.figures["count"] for line in daily.lines()] == [720, 1440, 1440, 720]
    assert next(daily.lines()).start == datetime(2026, 5, 1, tzinfo=UTC)


def test_jobs_are_asked_and_waited_for(client, course):
    job = client.wait(
        client.ask(device="course", metrics="x", stats="count"), timeout=PATIENCE_SECONDS
    )
    assert Summary(job.result)["x"] == {"count": course}
    assert job.id in {one.id for one in client.list_jobs().items}
    with pytest.raises(NotFound):
        client.wait(10**9)
    with pytest.raises(InvalidInput):
        client.ask(device="course", stats="nonsense")
    cancelled = client.cancel_job(client.ask(device="course", interval="1s"))
    if cancelled.status == "cancelled":
        with pytest.raises(JobFailed, match="cancelled"):
            client.wait(cancelled.id)


def test_results_become_tables_of_pandas_polars_and_arrow(client, course):
    readings = client.read("course", limit=50)
    frame = readings.to_pandas()
    assert list(frame.columns) == ["ts", "x", "y", "door"]
    assert frame["ts"].dt.tz is not None
    assert frame["y"].isna().sum() == 25
    assert readings.to_polars().shape == (50, 4)
    assert readings.to_arrow().num_rows == 50
    summary = client.summary("course", interval="1d", metrics="x").to_pandas()
    assert list(summary.columns)[:3] == ["metric", "start", "end"]
    assert len(summary) == 4
    assert len(client.read("course", start=NOON - timedelta(days=9), end=NOON).to_pandas()) == 0


def test_a_library_that_is_not_installed_is_named(client, course, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)  # which makes importing it fail
    readings = client.read("course", limit=1)
    with pytest.raises(ImportError, match=r"pip install 'barograph\[polars\]'"):
        readings.to_polars()


def test_a_wrong_reading_of_many_is_named_by_its_place(server, client):
    client.create_device("Wrong", key="wrong")
    times = [NOON + timedelta(seconds=i) for i in range(2_500)]
    times[1_234] = datetime(2999, 1, 1, tzinfo=UTC)
    with Client(server.url, rows_max=1_000) as small, pytest.raises(InvalidInput) as caught:
        small.write("wrong", {"ts": times, "z": [1] * 2_500})
    assert caught.value.errors[0].at == "ts[1234]"
    assert "ts[1234]" in str(caught.value)


def test_readings_are_removed(client):
    client.create_device("Gone", key="gone")
    client.write("gone", [{"ts": NOON + timedelta(hours=i), "x": i, "y": i} for i in range(5)])
    assert client.delete_readings("gone", metrics="x", end=NOON + timedelta(hours=2)) == 2
    with pytest.raises(InvalidInput, match="empty"):
        client.delete_readings("gone", metrics=[])
    assert client.delete_readings("gone") == 8


def test_a_server_that_is_not_there_is_told():
    retry = Retry(attempts=2, pause_seconds=0.001)
    with (
        Client("http://127.0.0.1:9", retry=retry) as client,
        pytest.raises(NoAnswer, match=r"127\.0\.0\.1:9"),
    ):
        client.me()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://"])
def test_what_is_no_url_is_told(url):
    with pytest.raises(ValueError, match="is not a URL"):
        Client(url)


@contextlib.contextmanager
def answering(server, client, key):
    """A device that answers each command with twice what it was told."""
    token = client.rotate_device_token(key)
    device = Paho(Plan(server.mqtt_port, V5, client_id=key, username=key, password=token))

    def answer(_client, _user, message):
        told = json.loads(message.payload)
        topic = f"devices/{key}/command/{told['id']}/reply"
        device._client.publish(topic, json.dumps(2 * told["command"]), 1)

    device._client.on_message = answer
    device.subscribe(f"devices/{key}/command", 1)
    yield
    device.leave()


def test_devices_are_told_what_to_do(server, client):
    client.create_device("Pump", key="pump")
    waiting = client.send_command("pump", {"relay": "on"}, expires_in=600)
    assert (waiting.status, waiting.ended) == ("queued", False)
    assert waiting.expires_time - waiting.created_time == timedelta(minutes=10)
    with pytest.raises(TimeoutError, match=r"command \d+ is queued after 0 seconds"):
        client.send_command("pump", 1, wait=0)
    assert client.list_commands("pump").total == 2
    assert client.cancel_command("pump", waiting.id).status == "cancelled"
    with answering(server, client, "pump"):
        told = client.send_command("pump", 21, wait=30)
    assert (told.status, told.reply, told.ended) == ("answered", 42, True)
    assert client.get_command("pump", told.id) == told
    assert client.cancel_command("pump", told.id).status == "answered"


def test_the_async_client_tells_devices_what_to_do(server, client):
    client.create_device("Fan", key="fan")

    async def ask():
        async with AsyncClient(server.url) as there:
            with pytest.raises(TimeoutError):
                await there.send_command("fan", 1, wait=0)
            with answering(server, client, "fan"):
                return await there.send_command("fan", 4, wait=30)

    assert asyncio.run(ask()).reply == 8


def test_the_async_client_on_a_real_server(server, course):
    async def ask():
        async with AsyncClient(server.url) as client:
            assert len([row async for row in client.rows("course", page_rows=2_000)]) == course
            assert len(await client.read("course", limit=7)) == 7
            assert (await client.latest("course")).name == "Course"
            job = await client.wait(await client.ask(device="course", metrics="x"))
            assert job.result["metrics"]["x"]["count"] == course
            async with client.export("course", "ndjson") as pieces:
                assert b"".join([piece async for piece in pieces]).count(b"\n") == course
            assert "course" in [device.key async for device in client.devices()]
            with pytest.raises(NotFound):
                await client.get_device("nobody")
            await client.create_device("Watched", key="watched")
            live = client.live("watched", "z")
            task = asyncio.create_task(anext(live))
            while not task.done():
                await client.write("watched", {"z": 1})
                await asyncio.sleep(0.02)
            assert (await task).metric == "z"
            await live.aclose()

    asyncio.run(ask())
