"""Calls about readings: newest ones, pages of them, summaries, jobs; and the server itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from barograph.client.call import Call, get, json_list_of, json_of, nothing, query_of, send
from barograph.client.devices import device_path
from barograph.client.models import Backup, Job, Latest, Page
from barograph.client.moments import Moment, text
from barograph.client.results import Row, Summary

Order = Literal["asc", "desc"]
Format = Literal["json", "ndjson", "csv", "parquet"]
Names = str | Sequence[str]

_BACKUP_SECONDS_MAX = 3600.0


class RowPage(msgspec.Struct):
    """Some rows, and where the next ones begin; None on the last page."""

    data: list[Row]
    next: str | None = None


class _Deleted(msgspec.Struct):
    deleted: int


def names(given: Names) -> str:
    """Names as they stand in a query."""
    return given if isinstance(given, str) else ",".join(given)


def read_page(
    device: int | str,
    *,
    metrics: Names = (),
    start: Moment | None = None,
    end: Moment | None = None,
    order: Order = "asc",
    limit: int = 10_000,
    cursor: str | None = None,
) -> Call[RowPage]:
    """One page of a device's readings; `start` and `end` as text may be relative (`-24h`)."""
    return get(
        f"{device_path(device)}/data",
        _row_page,
        metric=names(metrics),
        start_time=text(start),
        end_time=text(end),
        order=order,
        limit=limit,
        cursor=cursor,
    )


def export(
    device: int | str,
    form: Format,
    *,
    metrics: Names = (),
    start: Moment | None = None,
    end: Moment | None = None,
    order: Order = "asc",
) -> Call[None]:
    """All of a device's readings; the answer is to be read as a stream."""
    return get(
        f"{device_path(device)}/data",
        nothing,
        metric=names(metrics),
        start_time=text(start),
        end_time=text(end),
        order=order,
        format=form,
    )


def delete_readings(
    device: int | str,
    *,
    metrics: Names | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Call[int]:
    """Remove a device's readings, all or those of some metrics or a period; how many.

    An empty list of metrics is refused by the server: it does not mean all.
    """

    def read(body: bytes) -> int:
        return msgspec.json.decode(body, type=_Deleted).deleted

    query = query_of({"start_time": text(start), "end_time": text(end)})
    if metrics is not None:
        query = {**query, "metric": names(metrics)}
    return Call("DELETE", f"{device_path(device)}/data", read, query=query)


def latest(device: int | str) -> Call[Latest]:
    """The newest value of each of the device's metrics."""
    return get(f"{device_path(device)}/latest", json_of(Latest))


def latest_of_all() -> Call[list[Latest]]:
    """The newest values of every device that one may see."""
    return get("/api/latest", json_list_of(Latest))


def summary(
    device: int | str,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    metrics: Names = (),
    stats: Names = (),
    interval: str | None = None,
    tz: str | None = None,
    fill: str | float | None = None,
) -> Call[Summary]:
    """Statistics of a device's metrics, over a period or for each bucket of it.

    `stats` such as `min,max,p95`, `interval` such as `5m`, `1d`, `1mo`, `fill` one of `none`,
    `null`, `previous`, `linear` or a number.
    """
    question = _question(start, end, metrics, stats, interval, tz, fill)
    return get(f"/api/analytics/devices/{quote(str(device), safe='')}", _summary, **question)


def user_summary(
    user_id: int,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    metrics: Names = (),
    stats: Names = (),
    interval: str | None = None,
    tz: str | None = None,
    fill: str | float | None = None,
    aggregate: bool = True,
) -> Call[Summary]:
    """The same over all devices of a user together, or (`aggregate=False`) for each of them."""
    question = _question(start, end, metrics, stats, interval, tz, fill)
    return get(f"/api/analytics/users/{user_id}", _summary, **question, aggregate=aggregate)


def ask(
    *,
    device: int | str | None = None,
    user_id: int | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    metrics: Names = (),
    stats: Names = (),
    interval: str | None = None,
    tz: str | None = None,
    fill: str | float | None = None,
    aggregate: bool | None = None,
) -> Call[int]:
    """Ask for a summary later; the id of the job, whose `result` it will be."""

    def read(body: bytes) -> int:
        return msgspec.json.decode(body, type=_Asked).id

    question = _question(start, end, metrics, stats, interval, tz, fill)
    given = {"device": device, "user": user_id, **question, "aggregate": aggregate}
    body = {name: value for name, value in given.items() if value is not None and value != ""}
    return send("POST", "/api/analytics/jobs", read, body)


def get_job(job_id: int) -> Call[Job]:
    """How far a job is, and its result once there is one."""
    return get(f"/api/jobs/{job_id}", json_of(Job))


def list_jobs(*, limit: int = 100, offset: int = 0) -> Call[Page[Job]]:
    """Some of one's jobs, the newest first, without their results."""
    return get("/api/jobs", msgspec.json.Decoder(Page[Job]).decode, limit=limit, offset=offset)


def cancel_job(job_id: int) -> Call[Job]:
    """Call a job off; one that has ended stays as it is."""
    return Call("DELETE", f"/api/jobs/{job_id}", json_of(Job))


def ready() -> Call[None]:
    """Whether the server can store and answer; raises `Unavailable`, which says why not."""
    return get("/readyz", nothing)


def back_up() -> Call[Backup]:
    """Have the server copy all it keeps to a directory of its own; for administrators."""
    return Call(
        "POST", "/api/backups", json_of(Backup), idempotent=False, timeout=_BACKUP_SECONDS_MAX
    )


class _Asked(msgspec.Struct):
    id: int


def _question(
    start: Moment | None,
    end: Moment | None,
    metrics: Names,
    stats: Names,
    interval: str | None,
    tz: str | None,
    fill: str | float | None,
) -> dict[str, Any]:
    return {
        "start_time": text(start),
        "end_time": text(end),
        "metrics": names(metrics),
        "stats": names(stats),
        "interval": interval,
        "tz": tz,
        "fill": fill,
    }


def _row_page(body: bytes) -> RowPage:
    page = msgspec.json.decode(body, type=RowPage)
    for row in page.data:
        row["ts"] = datetime.fromisoformat(row["ts"]).astimezone(UTC)
    return page


def _summary(body: bytes) -> Summary:
    answer = msgspec.json.decode(body, type=dict[str, Any])
    return Summary(answer)
