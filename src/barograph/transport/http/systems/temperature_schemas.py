"""The temperature service's requests and answers, as the OpenAPI schema describes them.

The service reads and writes them itself (`temperature.py`).
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from barograph.transport.http.query import parameter
from barograph.transport.http.schemas import Email, Name

_AS_FORM = {
    "schema": {
        "type": "object",
        "properties": {"data": {"type": "string", "description": "The JSON."}},
        "required": ["data"],
    }
}


class RegisterUser(BaseModel):
    """A user who acts by token only."""

    command: Literal["reg"]
    params: Email


class _NewDevice(BaseModel):
    name: Name
    user: Email = Field(description="Whose it is.")


class RegisterDevice(BaseModel):
    """A device of a user, whose name no other of the user's devices has."""

    command: Literal["reg"]
    params: _NewDevice


class _Measured(BaseModel):
    dt: str | float | None = Field(
        default=None, description="HH:MM, HH:MM:SS, RFC 3339 or a number since 1970; without: now."
    )
    temp: float


class Put(BaseModel):
    """A temperature, sent with the device's token."""

    command: Literal["put"]
    params: _Measured


class Done(BaseModel):
    """What was done, with the new token if it was a registration."""

    type: Literal["OK"]
    message: str


class Failed(BaseModel):
    """What was wrong. A failure inside has the type OK: so it was."""

    type: Literal["OK", "ERR"]
    message: str


class _Device(BaseModel):
    name: str
    id: int
    date: str = Field(description="The time of its newest reading, HH:MM; empty without one.")


class Devices(BaseModel):
    """The user's devices in order of id."""

    type: Literal["OK"]
    message: list[_Device]


class _Temperature(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    dt: str = Field(alias="DT", description="HH:MM, or RFC 3339.")
    temp: float = Field(alias="Temp")


class Temperatures(BaseModel):
    """A device's temperatures in order of time."""

    type: Literal["OK"]
    message: list[_Temperature]


STATS_PARAMETERS = [
    {
        "name": "id",
        "in": "query",
        "required": True,
        "description": "The device's id.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    parameter("from", "From this time on: HH:MM, RFC 3339, or a number since 1970."),
    parameter("to", "Before this time, written as `from`."),
    parameter("format", "`iso` writes times as RFC 3339.", enum=["iso", ""]),
]


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route documents the failures that it may answer with; 500 and 503 it always may."""
    return {status: {"model": Failed} for status in sorted({*statuses, 500, 503})}


def bodies(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """How a route documents that its body is one of `models`, perhaps in a form."""
    inline = [model.model_json_schema() for model in models]
    for schema in inline:  # a part of a larger schema has no definitions of its own
        names = schema.pop("$defs", {})
        for name, field in schema["properties"].items():
            if "$ref" in field:
                schema["properties"][name] = names[field["$ref"].rpartition("/")[2]]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": inline}},
                "application/x-www-form-urlencoded": _AS_FORM,
            },
        }
    }
