"""How lately devices were seen, in the few words that pages use."""

from barograph.domain.time import DAY, MINUTE
from barograph.transport.web.language import marked

STATUS_TEXT = {
    "fresh": marked("seen within 15 minutes"),
    "quiet": marked("seen within a day"),
    "silent": marked("not seen for a day"),
    "blank": marked("no readings yet"),
}
STATUS_LABEL = {
    "fresh": marked("active"),
    "quiet": marked("quiet"),
    "silent": marked("silent"),
    "blank": marked("new"),
}


def status_of(seen: int | None, now: int) -> str:
    """How lately a device was seen: a key of `STATUS_TEXT`."""
    if seen is None:
        return "blank"
    if now - seen < 15 * MINUTE:
        return "fresh"
    return "quiet" if now - seen < DAY else "silent"
