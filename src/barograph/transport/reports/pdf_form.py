"""A report as PDF: the figures, the charts, and the first buckets of each metric."""

import logging
from importlib.resources import files

from fpdf import FPDF
from fpdf.fonts import FontFace

from barograph.domain.time import from_text, to_datetime
from barograph.services.report_document import Document, Figures, Part, Section
from barograph.transport.reports.plot import Plot, plot
from barograph.transport.reports.words import Words

# It tells a line for each table of a font that it embeds.
logging.getLogger("fontTools").setLevel(logging.WARNING)

PARTS_SHOWN = 60
"""Buckets of one metric in the document; the tables have all."""
PARTS_MAX = 3_000
"""Buckets in the document."""
_STATISTICS_SHOWN = 8
_CELL_CHARS_MAX = 120
_INK, _SOFT, _RULE, _PEN, _BAND = (
    (20, 35, 63),
    (86, 96, 121),
    (227, 219, 200),
    (31, 79, 158),
    (219, 228, 241),
)
_CHART_HEIGHT = 38.0
_CHART_LEFT = 18.0
_BODY_SIZE = 9


def render(document: Document) -> bytes:
    """The PDF, in the document's language."""
    return _Paper(document).write()


class _Sheet(FPDF):
    """An A4 page with its number below."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.set_title(title)
        self.set_margin(18)
        self.set_auto_page_break(True, 18)
        fonts = files("barograph.transport.reports") / "fonts"
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font("DejaVu", style, str(fonts / name))

    def footer(self) -> None:
        """The page's number."""
        self.set_y(-14)
        self.set_font("DejaVu", "", 8)
        self.set_text_color(*_SOFT)
        self.cell(0, 6, f"{self.page_no()}", align="R")


class _Paper:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._words = Words.of(document.language)
        self._pdf = _Sheet(document.name)
        self._parts_left = PARTS_MAX
        self._shown = document.statistics[:_STATISTICS_SHOWN]

    def write(self) -> bytes:
        pdf, document, words = self._pdf, self._document, self._words
        # Two runs on the same figures give the same file.
        pdf.set_creation_date(to_datetime(from_text(document.made_time)))
        pdf.add_page()
        self._line(document.name, 18, bold=True)
        self._line(words.period(document), 10, soft=True)
        for section in document.sections:
            self._section(section)
        if document.missing:
            gone = words.text("No longer there: %(what)s") % {"what": ", ".join(document.missing)}
            self._line(gone, _BODY_SIZE, soft=True)
        return bytes(pdf.output())

    def _line(self, text: str, size: float, *, bold: bool = False, soft: bool = False) -> None:
        self._pdf.set_font("DejaVu", "B" if bold else "", size)
        self._pdf.set_text_color(*(_SOFT if soft else _INK))
        self._pdf.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")

    def _section(self, section: Section) -> None:
        words = self._words
        self._pdf.ln(5)
        title = section.name
        if section.kind == "user":
            title = words.text("All devices of %(user)s") % {"user": section.name}
        self._line(title, 13, bold=True)
        if not section.metrics:
            self._line(words.text("no readings yet"), _BODY_SIZE, soft=True)
            return
        self._table(
            words.text("Metric"), [(_named(figures), figures.whole) for figures in section.metrics]
        )
        for figures in section.metrics:
            self._metric(figures)

    def _metric(self, figures: Figures) -> None:
        document, words = self._document, self._words
        width = self._pdf.epw - _CHART_LEFT
        chart = None
        if figures.course is not None:
            chart = plot(figures.course, document, words, width, _CHART_HEIGHT)
        parts = figures.parts[: min(PARTS_SHOWN, self._parts_left)]
        if chart is None and not parts:
            return
        if self._pdf.will_page_break(_CHART_HEIGHT + 22):
            self._pdf.add_page()
        self._pdf.ln(4)
        self._line(_named(figures), 10, bold=True)
        if chart is not None:
            self._chart(chart)
        self._parts_left -= len(parts)
        if parts:
            self._table(
                words.text("From"), [(words.moment(document, part.start), part) for part in parts]
            )
        if len(parts) < len(figures.parts):
            told = {"shown": len(parts), "all": len(figures.parts)}
            text = words.text("The first %(shown)s of %(all)s; the tables have all.") % told
            self._line(text, 8, soft=True)

    def _chart(self, chart: Plot) -> None:
        pdf = self._pdf
        left, top = pdf.l_margin + _CHART_LEFT, pdf.get_y() + 3
        pdf.set_font("DejaVu", "", 7)
        pdf.set_text_color(*_SOFT)
        pdf.set_draw_color(*_RULE)
        pdf.set_line_width(0.15)
        for y, text in chart.rules:
            pdf.line(left, top + y, left + chart.width, top + y)
            pdf.set_xy(pdf.l_margin, top + y - 2)
            pdf.cell(_CHART_LEFT - 2, 4, text, align="R")
        for x, text in chart.marks:
            pdf.line(left + x, top + chart.height, left + x, top + chart.height + 1.2)
            pdf.set_xy(left + x - 12, top + chart.height + 1.5)
            pdf.cell(24, 4, text, align="C")
        pdf.set_fill_color(*_BAND)
        for band in chart.bands:
            pdf.polygon([(left + x, top + y) for x, y in band], style="F")
        pdf.set_draw_color(*_PEN)
        pdf.set_line_width(0.35)
        pdf.set_fill_color(*_PEN)
        for line in chart.lines:
            (x, y), *rest = line
            if rest == [(x, y)]:
                pdf.circle(left + x, top + y, 0.3, style="F")
            else:
                pdf.polyline([(left + x, top + y) for x, y in line])
        pdf.set_xy(pdf.l_margin, top + chart.height + 7)

    def _table(self, first: str, rows: list[tuple[str, Part]]) -> None:
        words, pdf = self._words, self._pdf
        pdf.set_font("DejaVu", "", 8)
        pdf.set_text_color(*_INK)
        pdf.set_fill_color(255)
        pdf.set_draw_color(*_RULE)
        pdf.set_line_width(0.15)
        widths = (3, *(1.6 for _ in self._shown))
        heading = FontFace(emphasis="", color=_SOFT)
        with pdf.table(
            borders_layout="HORIZONTAL_LINES",
            col_widths=widths,
            text_align=("LEFT", *("RIGHT" for _ in self._shown)),
            headings_style=heading,
            line_height=4.6,
        ) as table:
            table.row([first, *(words.statistic(name) for name in self._shown)])
            for name, part in rows:
                values = part.values[: len(self._shown)]
                table.row([name, *(_cell(words.value(value)) for value in values)])


def _cell(text: str) -> str:
    """What a cell has room for: a row is not continued on the next page."""
    return text if len(text) <= _CELL_CHARS_MAX else text[: _CELL_CHARS_MAX - 1] + "…"


def _named(figures: Figures) -> str:
    name = figures.label or figures.metric
    return f"{name}, {figures.unit}" if figures.unit else name
