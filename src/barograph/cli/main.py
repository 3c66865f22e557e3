"""The commands, put together, and how their errors are told."""

import sys

import typer
from rich.console import Console

from barograph import __version__
from barograph.cli import serve
from barograph.domain.errors import BarographError

app = typer.Typer(
    name="barograph",
    help="A self-hosted telemetry server: readings in over HTTP and MQTT, stored durably, shown "
    "live, answered for any period.\n\nStart with: barograph serve",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if wanted:
        typer.echo(f"barograph {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    del version


app.command("serve")(serve.serve)


def main() -> None:
    """Run the command that the arguments name; an expected error is one line and status 2."""
    try:
        app()
    except BarographError as error:
        Console(stderr=True).print(f"[red]barograph:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
