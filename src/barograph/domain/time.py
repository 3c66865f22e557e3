"""Time is one thing: integer microseconds since 1970-01-01T00:00:00Z.

The only place that converts units or parses text. Instants are plain `int`s, called `time` or
`..._time`.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

TIME_MAX = 253_402_300_800 * SECOND
"""9999-12-31T24:00Z, exclusive: what RFC 3339 can write."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE = timedelta(microseconds=1)
# An epoch number's unit follows from its magnitude. The bounds are 1970 to 5138 in seconds; a
# number of milliseconds below 1e11 (before March 1973) reads as seconds, and so on upwards.
_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14
_MICROSECONDS_BELOW = 10**17
_NUMBER_BELOW = 10**21
_NUMBER_CHARS_MAX = 64

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?P<fraction>[.,]\d{1,12})?)?"
    r"(?:[Zz]|(?P<sign>[+\- ])(?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?\Z",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\Z", re.ASCII)
_RELATIVE = re.compile(
    r"(?:now)?(?P<sign>[+-])(?P<n>\d{1,9})(?P<unit>ms|mo|s|m|h|d|w|y)\Z", re.ASCII
)
_RELATIVE_UNIT = {
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": WEEK,
    "mo": 30 * DAY,
    "y": 365 * DAY,
}
_WHAT_IS_RIGHT = (
    "a time is RFC 3339 text such as 2024-05-01T12:00:00Z, or a number of seconds, milliseconds, "
    "microseconds or nanoseconds since 1970"
)


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime."""
    return (moment - _EPOCH) // _ONE


def to_datetime(time: int, zone: tzinfo = UTC) -> datetime:
    """The aware datetime of `time` in `zone`; in UTC where it is the year 10000 there already."""
    moment = _EPOCH + timedelta(microseconds=time)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def format_time(time: int, zone: tzinfo = UTC) -> str:
    """RFC 3339 with as many fraction digits as there are (none, three or six)."""
    moment = to_datetime(time, zone)
    fraction = time % SECOND
    digits = "seconds" if not fraction else "microseconds" if fraction % 1000 else "milliseconds"
    text = moment.isoformat(timespec=digits)
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def from_number(number: float) -> int:
    """Microseconds of an epoch number whose unit is told apart by magnitude.

    Raises `ValueError` outside 1970 … 9999.
    """
    size = abs(number)
    if not size < _NUMBER_BELOW:  # nor is NaN
        raise ValueError(f"a number as large as this is not a time: {_WHAT_IS_RIGHT}")
    if size < _SECONDS_BELOW:
        time = number * SECOND if isinstance(number, int) else round(number * SECOND)
    elif size < _MILLISECONDS_BELOW:
        time = number * MILLISECOND if isinstance(number, int) else round(number * MILLISECOND)
    elif size < _MICROSECONDS_BELOW:
        time = int(number)
    else:
        time = int(number) // 1000
    if not 0 <= time < TIME_MAX:
        raise ValueError(f"{number} is before 1970 or after 9999")
    return int(time)


def from_text(text: str, zone: tzinfo = UTC) -> int:
    """Microseconds of RFC 3339 text, a date, or an epoch number written as text.

    Text without an offset is in `zone`. Raises `ValueError`, whose message says what is right.
    """
    match = _RFC3339.match(text)
    if match is None:
        if _NUMBER.match(text) and len(text) <= _NUMBER_CHARS_MAX:
            return from_number(int(text) if text.lstrip("+-").isdigit() else float(text))
        raise ValueError(f"{text[:64]!r} is not a time: {_WHAT_IS_RIGHT}")
    try:
        time = _from_iso(match, zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:64]!r} is not a time: {error}") from None
    if not 0 <= time < TIME_MAX:
        raise ValueError(f"{text[:64]!r} is before 1970 or after 9999")
    return time


def _from_iso(match: re.Match[str], zone: tzinfo) -> int:
    """Microseconds of what `_RFC3339` matched; raises `ValueError` or `OverflowError`."""
    text = match[0]
    if match["sign"] == " ":
        # A plus sign that was not escaped in a URL arrives as a blank.
        at = match.start("sign")
        text = f"{text[:at]}+{text[at + 1 :]}"
    fraction = match["fraction"]
    if fraction and len(fraction) > 7:  # Python reads at most six digits
        text = text.replace(fraction, fraction[:7])
    midnight, leap = text[11:13] == "24", text[16:19] == ":60"
    if midnight:  # the end of a day, which not every Python reads
        text = f"{text[:11]}00{text[13:]}"
    if leap:
        text = f"{text[:16]}:59{text[19:]}"
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if midnight:
        if moment.hour or moment.minute or moment.second or moment.microsecond or leap:
            raise ValueError("after 24:00 there is no time of that day")
        moment += timedelta(days=1)
    time = from_datetime(moment)
    if leap:
        # A leap second has no number of its own: it is counted as the second after it.
        time += SECOND
        if time % DAY >= SECOND:
            raise ValueError("a leap second is 23:59:60 UTC")
    return time


def from_any(value: object, zone: tzinfo = UTC) -> int:
    """Microseconds of a time as it stands in JSON: text or an epoch number.

    Raises `ValueError`, whose message says what is right.
    """
    if isinstance(value, str):
        return from_text(value, zone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return from_number(value)
    raise ValueError(f"{value!r:.64} is not a time: {_WHAT_IS_RIGHT}")


def parse_moment(text: str, now: int, zone: tzinfo = UTC) -> int:
    """A moment as a question names it: `now`, `-24h`, `-7d`, or whatever `from_text` reads.

    Raises `ValueError`, whose message says what is right.
    """
    if text == "now":
        return now
    match = _RELATIVE.match(text)
    if match is None:
        return from_text(text, zone)
    time = now + int(match["sign"] + match["n"]) * _RELATIVE_UNIT[match["unit"]]
    if not 0 <= time < TIME_MAX:
        raise ValueError(f"{text!r} from now is before 1970 or after 9999")
    return time


def parse_time_of_day(text: str, now: int, zone: tzinfo) -> int | None:
    """The latest moment, not after `now`, at which a clock in `zone` showed `HH:MM` or `HH:MM:SS`.

    None for any other text.
    """
    match = _TIME_OF_DAY.match(text)
    if match is None:
        return None
    shown = timedelta(hours=int(match[1]), minutes=int(match[2]), seconds=int(match[3] or 0))
    today = to_datetime(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    # A clock that is put forward leaves out times of that day, one that is put back shows some
    # twice; a day or two before it showed them all.
    for days in range(3):
        for fold in (1, 0):
            moment = (today - timedelta(days=days) + shown).replace(tzinfo=zone, fold=fold)
            time = from_datetime(moment)
            was_shown = to_datetime(time, zone).replace(tzinfo=None) == moment.replace(tzinfo=None)
            if was_shown and time <= now:
                return time
    return None


def format_time_of_day(time: int, zone: tzinfo) -> str:
    """`HH:MM` as a clock in `zone` shows it."""
    return to_datetime(time, zone).strftime("%H:%M")


def parse_zone(name: str) -> ZoneInfo:
    """The IANA time zone called `name`; raises `ValueError`."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name[:64]!r} is not a time zone: use an IANA name such as Europe/Berlin or UTC"
        ) from None
