"""A report as a page that needs nothing else: no script, no other file, its charts drawn in it.

Its one style sheet is inline, and the page says by hash that it alone may be applied; so it also
opens where scripts and styles in a page are forbidden.
"""

import base64
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from barograph.services.report_document import Document
from barograph.transport.reports.plot import plot
from barograph.transport.reports.words import Words

PARTS_SHOWN = 500
"""Buckets of one metric in the page; the tables have all."""
_WIDTH, _HEIGHT = 680.0, 150.0

STYLE = (files("barograph.transport.reports") / "report.css").read_text()
_STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
"""The content security policy of a report."""


def render(document: Document) -> bytes:
    """The page, in the document's language."""
    words = Words.of(document.language)
    environment = Environment(
        loader=PackageLoader("barograph.transport.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(words.language.translations, newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    charts = {
        (i, j): plot(figures.course, document, words, _WIDTH, _HEIGHT)
        for i, section in enumerate(document.sections)
        for j, figures in enumerate(section.metrics)
        if figures.course is not None
    }
    page = environment.get_template("report.html").render(
        document=document,
        words=words,
        charts=charts,
        style=STYLE,
        policy=POLICY,
        parts_shown=PARTS_SHOWN,
    )
    return page.encode()
