"""The types that the API's bodies and parameters share, with their bounds."""

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from barograph.domain.limits import Limits
from barograph.domain.time import format_time
from barograph.services.names import EMAIL_CHARS_MAX, EMAIL_PATTERN, NAME_CHARS_MAX, NAME_PATTERN
from barograph.transport.http.paths import with_slashes

ID_MAX = 2**53 - 1
"""What every catalog can count to, and every JSON reader can read exactly."""

_PAGE_ITEMS = 100

T = TypeVar("T")


def _number(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # to JSON, 7.0 is a whole number
    return value


Id = Annotated[
    int,
    BeforeValidator(_number),
    Field(ge=1, le=ID_MAX, strict=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": ID_MAX},
                {"type": "string", "pattern": "^0*[1-9][0-9]{0,14}$", "maxLength": 18},
            ]
        }
    ),
]
"""An id in a body: a number, or a string of digits."""

PathId = Annotated[int, Path(ge=1, le=ID_MAX)]

Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_CHARS_MAX, json_schema_extra={"pattern": NAME_PATTERN}),
]
"""A line of printable text without blanks around it; the services check the pattern."""

Email = Annotated[
    str, Field(max_length=EMAIL_CHARS_MAX, json_schema_extra={"pattern": EMAIL_PATTERN})
]

Attributes = Annotated[
    dict[str, Any], Field(description="Any JSON object of at most 16 KiB, stored as it is.")
]

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339."""

Search = Annotated[
    str, Query(max_length=NAME_CHARS_MAX, description="A part of the name, in any case.")
]
Offset = Annotated[int, Query(ge=0, le=ID_MAX)]


def page_limit(limits: Limits) -> Any:
    """The default of a parameter that says how many items of a list are wanted, with its bounds."""
    most = limits.page_items_max
    return Query(min(_PAGE_ITEMS, most), ge=1, le=most)


DeviceRef = Annotated[
    str,
    Path(
        max_length=3 * NAME_CHARS_MAX,
        description="The device's id or key. A `/` in a key is sent as `%2F`.",
    ),
    AfterValidator(with_slashes),
]


LEFT_OUT: Any = Field(default_factory=lambda: None)
"""The default of what a PATCH may leave out: never read, and not shown in the schema."""


class PageOf(BaseModel, Generic[T]):
    """Some items of a list, in order of id."""

    items: list[T]
    total: int = Field(description="How many there are in all.")
    limit: int
    offset: int


def time_text(time: int | None) -> str | None:
    """A time as the API writes it."""
    return None if time is None else format_time(time)
