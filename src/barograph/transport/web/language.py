"""The languages of the pages: texts, numbers, times.

English is the language of the templates; the others are gettext catalogues in `locale/`, read as
text when the program starts, so that nothing has to be compiled.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from babel.core import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from barograph.domain.time import SECOND, to_datetime
from barograph.transport.http.accepted import accepted

DEFAULT_LANGUAGE = "en"
_SCIENTIFIC_FROM = 1e9
_SCIENTIFIC_BELOW = 1e-4
_WISHES_MAX = 16


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages."""

    code: str
    name: str
    translations: NullTranslations
    locale: Locale

    def value(self, value: float | str | None) -> str:
        """A reading's value or a statistic, with about four significant digits.

        `formatValue` in `static/format.js` is its twin for the values that arrive live.
        """
        if value is None:
            return "–"
        if isinstance(value, str):
            return value
        value += 0.0  # minus zero is zero
        size = abs(value)
        if size and not _SCIENTIFIC_BELOW <= size < _SCIENTIFIC_FROM:
            return f"{value:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
        pattern = "#,##0." + "#" * _decimals(size)
        return format_decimal(value, format=pattern, locale=self.locale)

    def difference(self, new: object, old: object) -> str | None:
        """How much a figure changed, with its sign; None where that is no number."""
        if not isinstance(new, int | float) or not isinstance(old, int | float):
            return None
        change = new - old
        if not math.isfinite(change):
            return None
        # What is within a billionth of the figure is the noise of adding up floats.
        if abs(change) <= 1e-9 * max(abs(new), abs(old)):
            return "±0"
        return ("+" if change > 0 else "−") + self.value(abs(change))

    def length(self, time: int) -> str:
        """A length of time (microseconds) in its largest unit or two."""
        return format_timedelta(
            round(time / SECOND), format="narrow", threshold=1.6, locale=self.locale
        )

    def share(self, part: float) -> str:
        """A part of the whole, in percent."""
        usual = self.locale.percent_formats[None].pattern
        return format_percent(part, format=usual.replace("0", "0.#"), locale=self.locale)

    def plain(self, value: float | None) -> str:
        """A number as a form takes it back: every digit, nothing between them."""
        return (
            ""
            if value is None
            else format_decimal(
                value,
                format="0.####################",
                locale=self.locale,
                decimal_quantization=False,
            )
        )

    def count(self, value: int) -> str:
        """A whole number with its thousands apart."""
        return format_decimal(value, format="#,##0", locale=self.locale)

    def moment(self, time: int, zone: tzinfo) -> str:
        """A date and time of day, to the second."""
        return format_datetime(to_datetime(time, zone), "d MMM y HH:mm:ss", locale=self.locale)

    def short_moment(self, time: int, zone: tzinfo) -> str:
        """A date without its year, and the time of day to the minute."""
        return format_datetime(to_datetime(time, zone), "d MMM HH:mm", locale=self.locale)

    def day(self, time: int, zone: tzinfo) -> str:
        """A date."""
        return format_datetime(to_datetime(time, zone), "d MMM y", locale=self.locale)

    def ago(self, time: int, now: int) -> str:
        """How long ago `time` was, in the largest unit that fits."""
        seconds = max(0, now - time) // SECOND
        return format_timedelta(
            -max(1, seconds),
            add_direction=True,
            format="narrow" if self.code == "en" else "short",
            threshold=1,
            locale=self.locale,
        )


def _decimals(size: float) -> int:
    """Two where that is enough for a sensor, more for small numbers, one for large ones."""
    if size >= 1000:
        return 1
    if size >= 1 or not size:
        return 2 if size < 100 else 1
    return 2 - math.floor(math.log10(size))


def marked(message: str) -> str:
    """`message` itself, which thereby is known to be looked up in the catalogues later."""
    return message


@cache
def load_languages() -> Mapping[str, Language]:
    """The languages there are, by code, English first."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415  # megabytes, until a page is shown
    from babel.messages.pofile import read_po  # noqa: PLC0415  # as above

    languages = {
        DEFAULT_LANGUAGE: Language(
            DEFAULT_LANGUAGE, "English", NullTranslations(), Locale.parse(DEFAULT_LANGUAGE)
        )
    }
    for entry in sorted(
        (files("barograph.transport.web") / "locale").iterdir(), key=lambda e: e.name
    ):
        code, _, kind = entry.name.partition(".")
        if kind == "po":
            compiled = io.BytesIO()
            write_mo(compiled, read_po(io.BytesIO(entry.read_bytes()), locale=code))
            compiled.seek(0)
            locale = Locale.parse(code)
            name = locale.get_display_name(locale) or code
            languages[code] = Language(code, name.capitalize(), GNUTranslations(compiled), locale)
    return languages


def choose_language(
    languages: Mapping[str, Language], remembered: str | None, accept_language: str
) -> Language:
    """The remembered language, or the one that the browser's `Accept-Language` likes best."""
    if remembered is not None and remembered in languages:
        return languages[remembered]
    weights = accepted(accept_language)
    wanted = sorted((tag for tag in weights if weights[tag] > 0), key=lambda tag: -weights[tag])
    found = negotiate_locale(wanted[:_WISHES_MAX], list(languages), sep="-")
    return languages[found or DEFAULT_LANGUAGE]
