"""Which decoder reads which `Content-Type`."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Final, Protocol

from barograph.codecs import csv_readings, json_readings, ndjson
from barograph.codecs.decoded import Decoded
from barograph.domain.limits import Limits


class Decode(Protocol):
    """Reads a whole body; see `json_readings.decode` for the arguments and the errors."""

    def __call__(
        self, body: bytes, *, now: int, zone: tzinfo, limits: Limits, partial: bool = False
    ) -> Decoded: ...


_DECODERS: Final[Mapping[bytes, Decode]] = {
    b"text/csv": csv_readings.decode,
    b"application/csv": csv_readings.decode,
    b"application/x-ndjson": ndjson.decode,
    b"application/ndjson": ndjson.decode,
    b"application/jsonl": ndjson.decode,
    b"application/x-jsonlines": ndjson.decode,
    b"application/jsonlines": ndjson.decode,
}


def decoder_for(content_type: bytes) -> Decode:
    """The decoder of a body whose `Content-Type` header is `content_type` (empty: none given).

    Whatever is not the name of another dialect is read as JSON, because many clients send JSON
    under their default type (curl: `application/x-www-form-urlencoded`).
    """
    name = content_type.partition(b";")[0].strip().lower()
    return _DECODERS.get(name, json_readings.decode)
