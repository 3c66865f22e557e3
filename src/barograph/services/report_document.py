"""The figures of a report, as they are kept and as every form of it is made of them."""

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from barograph.domain.statistic import Scalar

_LEVEL = 6


class Part(msgspec.Struct, frozen=True):
    """The figures over one length of time."""

    start: str
    end: str
    values: tuple[Scalar, ...]
    """One for each of the document's statistics; None also for what a text metric does not have."""


class Course(msgspec.Struct, frozen=True):
    """What a chart draws: least, mean and greatest value of each step from `start` on."""

    start: int
    """Microseconds."""
    step: int
    low: tuple[float | None, ...]
    mean: tuple[float | None, ...]
    high: tuple[float | None, ...]


class Figures(msgspec.Struct, frozen=True):
    """One metric."""

    metric: str
    whole: Part
    parts: tuple[Part, ...] = ()
    """The buckets, where the question has an interval."""
    course: Course | None = None
    label: str | None = None
    unit: str | None = None


class Section(msgspec.Struct, frozen=True):
    """One device, or all devices of one user together."""

    kind: str
    id: int
    name: str
    metrics: tuple[Figures, ...]


class Document(msgspec.Struct, frozen=True):
    """One report. Times are RFC 3339 in the zone `tz` where they are text."""

    name: str
    language: str
    tz: str
    period: str
    """As it was asked for, such as `yesterday`; empty where two times were given."""
    start_time: str
    end_time: str
    made_time: str
    statistics: tuple[str, ...]
    interval: str | None
    sections: tuple[Section, ...]
    missing: tuple[str, ...] = ()
    """What was asked about but is no more, or not the asker's any more."""

    def pack(self) -> bytes:
        """The document as the catalog keeps it: compressed JSON."""
        return zlib.compress(msgspec.json.encode(self), _LEVEL)

    @staticmethod
    def unpack(packed: bytes) -> "Document":
        """What `pack` made."""
        return msgspec.json.decode(zlib.decompress(packed), type=Document)


TABLE_COLUMNS = ("kind", "id", "name", "metric", "unit", "start", "end")
"""The first columns of a report as a table; the statistics follow."""

TableRow = Sequence[Scalar]


def table(document: Document) -> Iterator[TableRow]:
    """The rows of a report as a table: one for each metric, or for each of its buckets."""
    for section in document.sections:
        for figures in section.metrics:
            parts = (figures.whole,) if document.interval is None else figures.parts
            for part in parts:
                yield (
                    section.kind,
                    section.id,
                    section.name,
                    figures.label or figures.metric,
                    figures.unit,
                    part.start,
                    part.end,
                    *part.values,
                )
