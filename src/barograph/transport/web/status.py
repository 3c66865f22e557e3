"""How lately devices were seen, in the few words that pages use."""

from barograph.domain.presence import Presence
from barograph.domain.time import DAY, MINUTE
from barograph.transport.web.language import marked

STATUS_TEXT = {
    "online": marked("connected now"),
    "fresh": marked("seen within 15 minutes"),
    "quiet": marked("seen within a day"),
    "silent": marked("not seen for a day"),
    "blank": marked("no readings yet"),
}
STATUS_LABEL = {
    "online": marked("online"),
    "fresh": marked("active"),
    "quiet": marked("quiet"),
    "silent": marked("silent"),
    "blank": marked("new"),
}


def status_of(seen: int | None, now: int, presence: Presence | None) -> str:
    """Whether a device is connected, else how lately it was seen: a key of `STATUS_TEXT`."""
    if presence is not None and presence.status == "online":
        return "online"
    if seen is None:
        return "blank"
    if now - seen < 15 * MINUTE:
        return "fresh"
    return "quiet" if now - seen < DAY else "silent"
