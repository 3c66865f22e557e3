"""`barograph latest`: the newest readings."""

from typing import Annotated

import msgspec
import typer

from barograph.cli.output import print_table, say
from barograph.cli.target import ConfigFile, DataDir, Target, Token, Url, connected


def latest(
    *,
    device: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="A device's key or id. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
    config_file: ConfigFile = None,
) -> None:
    """Show the newest reading of every metric.

    [dim]Example:[/dim] barograph latest kitchen
    """
    with connected(Target(url, token, data_dir, config_file)) as client:
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
