"""How reports speak: in the languages of the dashboard, from the same catalogues."""

from dataclasses import dataclass

from barograph.domain.statistic import Scalar
from barograph.domain.time import from_text, parse_zone, to_datetime
from barograph.services.report_document import Document
from barograph.transport.web.language import DEFAULT_LANGUAGE, Language, load_languages, marked

_STATISTICS = {
    "min": marked("min"),
    "max": marked("max"),
    "count": marked("count"),
    "sum": marked("sum"),
    "mean": marked("mean"),
    "median": marked("median"),
    "stddev": marked("deviation"),
    "first": marked("first"),
    "last": marked("last"),
    "range": marked("range"),
    "rate": marked("rate per second"),
    "increase": marked("increase"),
    "integral": marked("integral, hours"),
    "time_weighted_mean": marked("mean over time"),
    "mode": marked("most frequent"),
    "distinct": marked("different values"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """One language, for reports."""

    language: Language

    @staticmethod
    def of(code: str) -> "Words":
        """The language of this code, or else English."""
        languages = load_languages()
        return Words(languages.get(code, languages[DEFAULT_LANGUAGE]))

    def text(self, message: str) -> str:
        """The message in this language."""
        return self.language.translations.gettext(message)

    def statistic(self, name: str) -> str:
        """What people call the statistic."""
        return self.text(_STATISTICS[name]) if name in _STATISTICS else name

    def value(self, value: Scalar) -> str:
        """A figure."""
        return self.language.value(value)

    def moment(self, document: Document, time: str) -> str:
        """A time on the clocks of the document's zone."""
        zone = parse_zone(document.tz)
        moment = to_datetime(from_text(time), zone)
        return moment.strftime("%Y-%m-%d %H:%M" if not moment.second else "%Y-%m-%d %H:%M:%S")

    def period(self, document: Document) -> str:
        """The document's period, from and until."""
        start, end = (self.moment(document, t) for t in (document.start_time, document.end_time))
        return f"{start} – {end} ({document.tz})"
