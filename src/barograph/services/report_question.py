"""What a report is about: devices or users, a period that moves, and what to find out about it.

The rest of the question is that of the analytics, see `services.questions`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

from barograph.domain.errors import InvalidInput
from barograph.domain.named_period import named_period
from barograph.domain.period import Period
from barograph.domain.time import TIME_MAX, format_time
from barograph.domain.user import Principal
from barograph.services.analytics import Analytics
from barograph.services.parameters import Parameters, text
from barograph.services.questions import Question

LANGUAGES = ("en", "ru")
DEVICES_MAX = 200
"""Devices or users that one report names, and sections that it has."""
DEFAULT_PERIOD = "yesterday"
_NONE: tuple[int | str, ...] = ()

PARAMETERS = frozenset(
    {"devices", "users", "period", "start_time", "end_time", "metrics", "stats", "interval", "tz"}
    | {"language"}
)


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """A report's question, read and checked. Neither devices nor users means all one's devices."""

    devices: tuple[int, ...]
    users: tuple[int, ...]
    period: str
    """A named period, or empty where the question has two times."""
    language: str
    question: Question

    def at(self, now: int, zone: tzinfo) -> Question:
        """The question as it is at the time `now`."""
        if not self.period:
            return self.question
        return replace(self.question, period=named_period(self.period, now, zone))

    def to_json(self) -> dict[str, Any]:
        """The parameters that `read` makes this question of."""
        asked = self.question.to_json()
        kept = {name: asked[name] for name in ("metrics", "stats", "interval", "tz")}
        if not self.period:
            kept |= {name: asked[name] for name in ("start_time", "end_time")}
        return {
            "devices": list(self.devices),
            "users": list(self.users),
            "period": self.period,
            "language": self.language,
            **kept,
        }


def read(
    given: Mapping[str, object],
    analytics: Analytics,
    principal: Principal,
    now: int,
    *,
    checked: bool = False,
) -> ReportQuestion:
    """The question that these parameters ask; raises `InvalidInput` with every problem.

    Unless it is `checked`, that is read again from what was kept, the devices and users must be
    there and be the principal's to ask about: `NotFound`, `Forbidden`.
    """
    parameters = Parameters(given)
    parameters.refuse_unknown(PARAMETERS)
    period = parameters.read("period", _period(now), "")
    language = parameters.read("language", _language, LANGUAGES[0])
    devices = parameters.read("devices", _refs, _NONE)
    users = parameters.read("users", _refs, _NONE)
    parameters.check()
    if devices and users:
        raise InvalidInput.of("users", "ask about devices or about users, not both")
    timed = any(
        given.get(name) is not None and given[name] != "" for name in ("start_time", "end_time")
    )
    if period and timed:
        raise InvalidInput.of("period", "give a period, or start_time and end_time, not both")
    question = analytics.question(given)
    if not timed:
        period = period or DEFAULT_PERIOD
    elif question.period.start is None or question.period.end is None:
        missing = "start_time" if question.period.start is None else "end_time"
        raise InvalidInput.of(missing, "a report has both a start and an end")
    if checked:
        return ReportQuestion(
            tuple(int(one) for one in devices),
            tuple(int(one) for one in users),
            period,
            language,
            question,
        )
    found = tuple(analytics.require_device(principal, one).id for one in devices)
    user_ids = tuple(_user_id(analytics, principal, one) for one in users)
    return ReportQuestion(found, user_ids, period, language, question)


def bounds(period: Period) -> tuple[int, int]:
    """Start and end of a report's period, which always has both."""
    assert period.start is not None, "a report has a start"
    assert period.end is not None, "a report has an end"
    return period.start, period.end


def time_text(time: int, zone: tzinfo) -> str:
    """A time as a report writes it."""
    return format_time(min(time, TIME_MAX), zone)


def _user_id(analytics: Analytics, principal: Principal, ref: int | str) -> int:
    if isinstance(ref, str) and not (ref.isdecimal() and len(ref) < 19):
        raise InvalidInput.of("users", "a user is named by its id")
    analytics.require_user(principal, int(ref))
    return int(ref)


def _refs(value: object) -> tuple[int | str, ...]:
    items = value if isinstance(value, list | tuple) else text(value).split(",")
    found: dict[int | str, None] = {}
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | str) or item == "":
            raise ValueError("this must be a list of ids or keys")
        found[item] = None
    if len(found) > DEVICES_MAX:
        raise ValueError(f"a report is about {DEVICES_MAX} devices or users at most")
    return tuple(found)


def _period(now: int) -> Callable[[object], str]:
    def read_period(value: object) -> str:
        named = text(value).strip()
        # What is wrong with the name is wrong on every calendar.
        named_period(named, now, UTC)
        return named

    return read_period


def _language(value: object) -> str:
    language = text(value)
    if language not in LANGUAGES:
        raise ValueError(f"use one of {', '.join(LANGUAGES)}")
    return language
