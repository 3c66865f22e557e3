"""The form in which a question is asked, and the address that remembers it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.datastructures import FormData, QueryParams

from barograph.domain.errors import InvalidInput
from barograph.services.core import Core
from barograph.transport.web.language import marked
from barograph.transport.web.site import Visit

PERIODS: Mapping[str, str] = {
    "-1h": marked("last hour"),
    "-6h": marked("last 6 hours"),
    "-24h": marked("last 24 hours"),
    "-7d": marked("last 7 days"),
    "-30d": marked("last 30 days"),
    "-365d": marked("last 365 days"),
    "": marked("all time"),
}
INTERVALS: Mapping[str, str] = {
    "": marked("no buckets"),
    "1m": marked("1 minute"),
    "5m": marked("5 minutes"),
    "15m": marked("15 minutes"),
    "1h": marked("1 hour"),
    "1d": marked("1 day"),
    "1w": marked("1 week"),
    "1mo": marked("1 month"),
    "1q": marked("1 quarter"),
    "1y": marked("1 year"),
}
STATISTICS: Mapping[str, str] = {
    "mean": marked("mean"),
    "min": marked("min"),
    "max": marked("max"),
    "median": marked("median"),
    "count": marked("count"),
    "sum": marked("sum"),
    "stddev": marked("std. dev."),
    "p5": marked("5th percentile"),
    "p95": marked("95th percentile"),
    "first": marked("first"),
    "last": marked("last"),
    "range": marked("range"),
    "increase": marked("increase"),
    "rate": marked("rate per second"),
    "integral": marked("integral (value × hours)"),
    "time_weighted_mean": marked("time-weighted mean"),
    "mode": marked("most frequent"),
    "distinct": marked("different values"),
}
_LISTS = ("devices", "metrics", "stats")
_SINGLES = ("start_time", "end_time", "interval", "tz", "user", "aggregate")
_OFFERED = 500


async def sent(request: Request) -> FormData:
    """FastAPI dependency: the form's fields, of which some may be there several times."""
    return await request.form()


def question_of(fields: QueryParams | FormData) -> dict[str, Any]:
    """The question that the form's fields ask; raises `InvalidInput` for a device that is no id."""
    asked: dict[str, Any] = {}
    for name in _LISTS:
        values = [value for value in fields.getlist(name) if isinstance(value, str) and value]
        if values:
            asked[name] = list(dict.fromkeys(values))
    for name in _SINGLES:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            asked[name] = value.strip()
    for name in ("devices", "user"):
        given = asked.get(name, [])
        for one in given if isinstance(given, list) else [given]:
            if not (one.isdecimal() and len(one) < 16):
                raise InvalidInput.of(name, "use the number of a device or user")
    if "devices" in asked:
        asked["devices"] = [int(one) for one in asked["devices"]]
    if "user" in asked:
        # Whose devices are meant says which; what was ticked before is not.
        asked["user"] = int(asked["user"])
        asked.pop("devices", None)
    else:
        asked.pop("aggregate", None)
    return asked


def require_subject(question: Mapping[str, Any]) -> None:
    """Raises `InvalidInput` where it is not said of what the question is."""
    if not question.get("devices") and not question.get("user"):
        raise InvalidInput.of("", marked("Choose at least one device."))


def address_of(question: Mapping[str, Any]) -> str:
    """The query string that `question_of` reads the question from."""
    pairs: list[tuple[str, str]] = []
    for name in _LISTS:
        value = question.get(name) or ()
        values = value.split(",") if isinstance(value, str) else value
        pairs += [(name, str(one)) for one in values]
    pairs += [(name, str(question[name])) for name in _SINGLES if question.get(name)]
    return urlencode(pairs)


def offered(core: Core, visit: Visit, question: Mapping[str, Any]) -> dict[str, Any]:
    """What the form lets choose: devices, metrics, statistics, periods, intervals."""
    devices = core.registry.devices_for(visit.asker)
    chosen = set(question.get("devices") or ())
    metrics: dict[str, str] = {}
    for device in devices:
        for metric, series in core.registry.series_of(device.id).items():
            if not metrics.get(metric):
                metrics[metric] = core.registry.metric_settings(series).label or ""
    named = _names(question.get("metrics"))
    start = question.get("start_time", "-24h" if not question else "")
    return {
        "question": question,
        "owners": owners(core, visit),
        "devices": sorted(devices, key=lambda device: (device.id not in chosen, device.name))[
            :_OFFERED
        ],
        "chosen_devices": chosen,
        "metrics": [
            (metric, metrics.get(metric) or metric)
            for metric in [*named, *(one for one in sorted(metrics) if one not in named)]
        ][:_OFFERED],
        "chosen_metrics": set(named),
        "statistics": STATISTICS,
        "chosen_statistics": _names(question.get("stats")),
        "periods": PERIODS,
        "period": start if start in PERIODS and not question.get("end_time") else None,
        "intervals": INTERVALS,
        "zone_name": str(visit.zone),
    }


def owners(core: Core, visit: Visit) -> dict[int, str]:
    """Whose devices a question may be about all at once: one's own, or anybody's, by user id."""
    mine = {visit.user.id: visit.text(marked("all my devices"))} if visit.user else {}
    if not visit.is_admin:
        return mine
    users = core.catalog.users.list(limit=_OFFERED).items
    text = visit.text(marked("all devices of %(name)s"))
    others = {user.id: text % {"name": user.username} for user in users if user.id not in mine}
    return mine | dict(sorted(others.items(), key=lambda one: one[1].casefold()))


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(name) for name in value] if isinstance(value, list | tuple) else []
