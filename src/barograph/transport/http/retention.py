"""`/api/system/retention`: how long readings are kept."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.errors import InvalidInput
from barograph.domain.length import length_text, parse_length
from barograph.services.core import Core
from barograph.services.retention import Rule
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import Time, time_text
from barograph.transport.http.users import Asker

_LENGTH = "^(0|none|[1-9][0-9]{0,8}(ms|s|m|h)|[1-9][0-9]{0,5}(d|w))$"
Length = Annotated[
    str,
    Field(
        max_length=16,
        json_schema_extra={"pattern": _LENGTH},
        description="Such as 365d, an hour at least; 0 keeps all.",
        examples=["365d"],
    ),
]


class RetentionBody(BaseModel):
    """How long readings are kept."""

    retention: str = Field(description="What holds now, such as 365d; 0 keeps all.")
    source: Literal["configured", "set"] = Field(description="Who says so.")
    configured: str = Field(description="What the setting `retention` says.")
    set_by: str | None = Field(description="Who has set what holds, instead of the configuration.")
    set_time: Time | None


class NewRetention(BaseModel):
    """How long readings are to be kept."""

    model_config = ConfigDict(extra="forbid")

    retention: Length


class EffectBody(BaseModel):
    """What a retention would remove at once."""

    before: Time | None = Field(description="Readings from before are removed; null removes none.")
    readings: int = Field(description="How many that are now.")


def router(core: Core) -> APIRouter:
    """The rule, what another would do, and setting it."""
    routes = APIRouter(prefix="/api/system/retention", tags=["system"])

    @routes.get("", responses=responses(401, 403))
    def read_retention(asker: Asker) -> RetentionBody:
        """How long readings are kept, and who says so; for administrators."""
        return _body(core.retention.get(asker))

    @routes.get("/effect", responses=responses(401, 403, 422), summary="Try a retention")
    def retention_effect(
        asker: Asker,
        retention_: Annotated[
            str,
            Query(alias="retention", max_length=16, json_schema_extra={"pattern": _LENGTH}),
        ],
    ) -> EffectBody:
        """How many readings keeping them for so long would remove at once. Changes nothing."""
        found = core.retention.effect(asker, _length(retention_))
        return EffectBody(before=time_text(found.before), readings=found.readings)

    @routes.put("", responses=responses(400, 401, 403, 413, 422))
    def set_retention(asker: Asker, body: NewRetention) -> RetentionBody:
        """Keep readings for so long from now on, whatever is configured.

        Older ones are removed for good within the hour.
        """
        return _body(core.retention.set(asker, _length(body.retention)))

    @routes.delete("", responses=responses(401, 403), summary="Keep readings as configured")
    def reset_retention(asker: Asker) -> RetentionBody:
        """Let the setting `retention` say again how long readings are kept."""
        return _body(core.retention.reset(asker))

    return routes


def _length(text: str) -> int:
    try:
        if not text:
            raise ValueError("say how long, such as 365d; 0 keeps all")
        return parse_length(text)
    except ValueError as error:
        raise InvalidInput.of("retention", str(error)) from None


def _body(rule: Rule) -> RetentionBody:
    return RetentionBody(
        retention=length_text(rule.length),
        source="set" if rule.is_set else "configured",
        configured=length_text(rule.configured),
        set_by=rule.set_by,
        set_time=time_text(rule.set_time),
    )
