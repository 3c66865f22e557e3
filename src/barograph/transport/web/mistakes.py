"""Errors that a form shows beside its fields, because the visitor can put them right."""

from barograph.domain.errors import (
    BarographError,
    Conflict,
    InvalidInput,
    NotFound,
    TooManyRequests,
)
from barograph.transport.web.site import Visit

MISTAKES = (Conflict, InvalidInput, NotFound, TooManyRequests)


def message_of(visit: Visit, error: BarographError) -> str:
    """What the form says, in the visitor's language where there is a translation."""
    return visit.refusal(error)
