"""The commands, put together, and how their errors are told."""

import os
import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.text import Text

from barograph import __version__
from barograph.cli import (
    backup,
    device,
    doctor,
    export,
    import_files,
    latest,
    restore,
    serve,
    show_config,
    simulate,
    summary,
    user,
)
from barograph.client import BarographClientError, ServerError, Unauthenticated
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
app.command("simulate")(simulate.simulate)
app.add_typer(user.app, name="user")
app.add_typer(device.app, name="device")
app.command("latest")(latest.latest)
app.command("summary")(summary.summary)
app.command("import")(import_files.import_files)
app.command("export")(export.export)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("doctor")(doctor.doctor)
app.command("config")(show_config.show_config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments, by default the program's, name; ends by `SystemExit`.

    An expected error is told in a line or a few: status 1 where a server said it, 2 otherwise.
    """
    try:
        app(arguments)
    except BarographError as error:
        _complain(str(error))
        sys.exit(2)
    except BarographClientError as error:
        _complain(str(error))
        if isinstance(error, ServerError) and len(error.errors) > 1:
            for problem in error.errors:
                _complain(f"{problem.at}: {problem.message}")
        if isinstance(error, Unauthenticated):
            _complain("give a token with --token, or in the environment as BAROGRAPH_TOKEN")
        sys.exit(1)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _complain(text: str) -> None:
    line = Text.assemble(("barograph: ", "red"), text)
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
