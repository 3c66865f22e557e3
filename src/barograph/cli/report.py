"""`barograph report`: a report into a file."""

import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

from barograph.cli.export import opened
from barograph.cli.output import note
from barograph.cli.target import Target, connected, of_a_server
from barograph.cli.user import named
from barograph.client.reports import ReportForm
from barograph.domain.errors import ConfigurationError

_FORMS: tuple[ReportForm, ...] = get_args(ReportForm)
_BINARY = frozenset({"pdf", "xlsx", "parquet"})


@of_a_server
def report(
    target: Target,
    *,
    devices: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DEVICE]...", help="Devices' keys or ids. Default: all of yours."),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(help="All devices of this user together.", metavar="USERNAME"),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(
            help="today, yesterday, this_week, last_week (or month, quarter, year), or a length "
            "until now such as 24h or 7d. Default: yesterday."
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="With --end, in place of a period.", metavar="TIME")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Before this time.", metavar="TIME")] = None,
    metrics: Annotated[
        str, typer.Option(help="Names, separated by commas; * stands for any characters.")
    ] = "",
    stats: Annotated[
        str, typer.Option(help="Such as min,max,mean,median,p95,stddev,increase.")
    ] = "",
    interval: Annotated[
        str | None, typer.Option(help="A line for each bucket, too: 5m, 1h, 1d, 1w, 1mo.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone of days and months, such as Europe/Berlin.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the report is called.")] = "Report",
    language: Annotated[str | None, typer.Option(help="en or ru.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file. Default: standard output."),
    ] = None,
    form: Annotated[
        ReportForm | None,
        typer.Option("--format", help="Default: what the file's name ends with, or html."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Make a report with charts: a page, PDF, CSV, a workbook, Parquet or JSON. The server keeps it.

    [dim]Example:[/dim] barograph report kitchen --period last_week --interval 1d -o kitchen.pdf
    """
    chosen = form or _form_of(output) or "html"
    if output is None and chosen in _BINARY and sys.stdout.isatty():
        raise ConfigurationError(f"{chosen} is not for terminals: --output FILE")
    with connected(target) as client:
        job = client.make_report(
            name,
            devices=devices or (),
            user_ids=[named(client, one).id for one in user or ()],
            period=period,
            start=start,
            end=end,
            metrics=metrics,
            stats=stats,
            interval=interval,
            tz=tz,
            language=language,
        )
        made: int = client.wait(job).result["report_id"]
        content = client.read_report(made, chosen)
    with opened(output, force=force) as file:
        file.write(content)
    if output is not None:
        note(f"{output}: {len(content):,} bytes; the server keeps it as report {made}")


def _form_of(output: Path | None) -> ReportForm | None:
    if output is None:
        return None
    suffix = output.suffix.removeprefix(".").lower()
    found = next((one for one in _FORMS if one == suffix), None)
    if found is None:
        raise ConfigurationError(
            f"--output {output}: end it in one of .{', .'.join(_FORMS)}, or give --format"
        )
    return found
