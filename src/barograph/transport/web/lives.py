"""How long a token or a link is valid, as forms let people choose."""

from collections.abc import Mapping

from barograph.domain.time import DAY
from barograph.transport.web.language import marked

_LENGTHS: Mapping[str, int | None] = {"": None, "1": DAY, "30": 30 * DAY, "365": 365 * DAY}

LIVES: Mapping[str, str] = {
    "": marked("until it is revoked"),
    "1": marked("for a day"),
    "30": marked("for 30 days"),
    "365": marked("for a year"),
}


def expires_time(lives: str, now: int) -> int | None:
    """When what is made now ends, or None; what no form offers is the shortest."""
    length = _LENGTHS.get(lives, DAY)
    return None if length is None else now + length
