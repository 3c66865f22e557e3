"""`barograph summary`: ask for statistics from the shell."""

from typing import Annotated, Any

import msgspec
import typer

from barograph.cli.output import print_table, say
from barograph.cli.target import Target, connected, of_a_server
from barograph.cli.user import named
from barograph.domain.errors import ConfigurationError


@of_a_server
def summary(
    target: Target,
    *,
    device: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="A device's key or id.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(help="Ask about all devices of this user together.", metavar="USERNAME"),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="From this time on: 2026-05-01, or -7d.", metavar="TIME")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Before this time.", metavar="TIME")] = None,
    metrics: Annotated[
        str, typer.Option(help="Names, separated by commas; * stands for any characters.")
    ] = "",
    stats: Annotated[
        str, typer.Option(help="Such as min,max,mean,median,p95,stddev,increase.")
    ] = "",
    interval: Annotated[
        str | None, typer.Option(help="One line for each bucket: 5m, 1h, 1d, 1w, 1mo, 1y.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone of days and months, such as Europe/Berlin.")
    ] = None,
    fill: Annotated[
        str | None, typer.Option(help="Show empty buckets: null, previous, linear or a number.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Summarize readings: minimum, maximum, count, sum, median and more, for any period.

    [dim]Example:[/dim] barograph summary kitchen --stats min,max,median --interval 1d --start -7d
    """
    if (device is None) == (user is None):
        raise ConfigurationError("name a device, or a user with --user")
    with connected(target) as client:
        question: dict[str, Any] = {
            "start": start,
            "end": end,
            "metrics": metrics,
            "stats": stats,
            "interval": interval,
            "tz": tz,
            "fill": fill,
        }
        if user is not None:
            found = client.user_summary(named(client, user).id, **question)
        else:
            assert device is not None
            found = client.summary(device, **question)
    if as_json:
        say(msgspec.json.encode(found.answer).decode())
        return
    columns = dict(found.columns())
    columns.pop("end", None)
    print_table(list(columns), zip(*columns.values(), strict=True))
