"""Reports: having one made, and reading it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from barograph.client.call import Call, get, send
from barograph.client.moments import Moment, text
from barograph.client.questions import Names, names

ReportForm = Literal["html", "pdf", "csv", "xlsx", "parquet", "json"]


def make_report(
    name: str = "Report",
    *,
    devices: Sequence[int | str] = (),
    user_ids: Sequence[int] = (),
    period: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    metrics: Names = (),
    stats: Names = (),
    interval: str | None = None,
    tz: str | None = None,
    language: str | None = None,
) -> Call[int]:
    """Have a report made; the id of the job, whose `result["report_id"]` is the report's.

    `period` such as `yesterday`, `last_month` or `7d`, or both `start` and `end`. Without devices
    and users it is about all one's devices.
    """
    given = {
        "name": name,
        "devices": list(devices),
        "users": list(user_ids),
        "period": period,
        "start_time": text(start),
        "end_time": text(end),
        "metrics": names(metrics),
        "stats": names(stats),
        "interval": interval,
        "tz": tz,
        "language": language,
    }
    body = {key: value for key, value in given.items() if value not in (None, "", [])}

    def read(answer: bytes) -> int:
        return msgspec.json.decode(answer, type=_Asked).job_id

    return send("POST", "/api/reports", read, body)


def read_report(report_id: int, form: ReportForm = "pdf") -> Call[bytes]:
    """A report as a file."""
    return get(f"/api/reports/{report_id}/{form}", lambda content: content)


class _Asked(msgspec.Struct):
    job_id: int
