"""What a client says it can read: `Accept`, `-Encoding`, `-Language` (RFC 9110, section 12.5)."""

from collections.abc import Mapping
from contextlib import suppress


def accepted(header: str) -> Mapping[str, float]:
    """How much each media range, coding or language is wanted, by its name in lower case; 0: not at all."""
    found = {}
    for one in header.lower().split(","):
        name, _, parameters = one.partition(";")
        found[name.strip()] = _quality(parameters)
    return found


def _quality(parameters: str) -> float:
    for one in parameters.split(";"):
        name, _, value = one.partition("=")
        if name.strip() == "q":
            with suppress(ValueError):
                return float(value)
    return 1.0
