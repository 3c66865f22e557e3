"""Server-sent events (the HTML standard's `text/event-stream`), line by line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from barograph.client.errors import UnexpectedAnswer
from barograph.client.models import Gap, LiveReading

_KINDS: Mapping[str, Callable[[str], LiveReading | Gap]] = {
    "reading": msgspec.json.Decoder(LiveReading).decode,
    "gap": msgspec.json.Decoder(Gap).decode,
}


@dataclass(slots=True)
class EventReader:
    """Is fed the lines of a stream, and says what they mean.

    `last_id` is what the next request resumes at; keep the reader over connections.
    """

    last_id: str | None = None
    _id: str | None = None
    _kind: str = ""
    _data: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A new connection: what the last one left unfinished will come again."""
        self._id, self._kind = None, ""
        self._data.clear()

    def feed(self, line: str) -> LiveReading | Gap | None:
        """The event that this line, without its end, completes, if any."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self._id = value
            elif name == "event":
                self._kind = value
            elif name == "data":
                self._data.append(value)
            return None
        kind, data, event_id = self._kind, "\n".join(self._data), self._id
        self.begin()
        if event_id is not None:
            self.last_id = event_id
        read = _KINDS.get(kind)
        if read is None or not data:
            return None
        try:
            return read(data)
        except msgspec.DecodeError as error:
            raise UnexpectedAnswer(f"an event of the live stream cannot be read: {error}") from None
