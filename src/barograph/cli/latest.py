"""`barograph latest`: the newest readings."""

from typing import Annotated

import msgspec
import typer

from barograph.cli.output import print_table, say
from barograph.cli.target import Target, connected, of_a_server


@of_a_server
def latest(
    target: Target,
    *,
    device: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="A device's key or id. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the newest reading of every metric.

    [dim]Example:[/dim] barograph latest kitchen
    """
    with connected(target) as client:
        found = client.latest_of_all() if device is None else [client.latest(device)]
    if as_json:
        say(msgspec.json.encode(found).decode())
        return
    print_table(
        ("device", "metric", "value", "time"),
        [
            (one.key, metric, newest.value, newest.ts)
            for one in found
            for metric, newest in one.metrics.items()
        ],
    )
