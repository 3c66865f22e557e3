"""The program's name, its help and its version, which every set of commands begins with."""

import typer

from barograph import __version__


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if wanted:
        typer.echo(f"barograph {__version__}")
        raise typer.Exit


def _top(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    del version


def new_app() -> typer.Typer:
    """The program without commands."""
    app = typer.Typer(
        name="barograph",
        help="A self-hosted telemetry server: readings in over HTTP and MQTT, stored durably, "
        "shown live, answered for any period.\n\nStart with: barograph serve",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_top)
    return app
