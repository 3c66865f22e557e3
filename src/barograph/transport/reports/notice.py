"""What an e-mail about a report says."""

from collections.abc import Callable

from barograph.domain.report import Report
from barograph.services.report_document import Document

_LINES_MAX = 60


def composer(public_url: str) -> Callable[[Report, Document, tuple[str, ...]], tuple[str, str]]:
    """Composes notices; `public_url` is how readers reach this server, or empty."""

    def compose(report: Report, document: Document, left_out: tuple[str, ...]) -> tuple[str, str]:
        from barograph.transport.reports.words import Words  # noqa: PLC0415  # with Babel

        words = Words.of(document.language)
        lines = [words.period(document), ""]
        for section in document.sections:
            lines.append(section.name)
            for figures in section.metrics:
                told = ", ".join(
                    f"{words.statistic(name)} {words.value(value)}"
                    for name, value in zip(document.statistics, figures.whole.values, strict=True)
                )
                unit = f", {figures.unit}" if figures.unit else ""
                lines.append(f"  {figures.label or figures.metric}{unit}: {told}")
            lines.append("")
        if len(lines) > _LINES_MAX:
            lines = [*lines[:_LINES_MAX], "…", ""]
        if left_out:
            lines.append(
                words.text("Too large to attach: %(files)s") % {"files": ", ".join(left_out)}
            )
        if public_url:
            lines.append(f"{public_url.rstrip('/')}/api/reports/{report.id}/html")
        return document.name, "\n".join(lines).rstrip() + "\n"

    return compose
