"""`barograph move`: everything from one store into another."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from barograph import config
from barograph.cli.output import console, say
from barograph.cli.target import Target, local
from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.services.moving import copy_readings
from barograph.wiring.mqtt import move_mqtt
from barograph.wiring.stores import (
    catalog_copy,
    catalog_url,
    open_readings,
    prepare,
    series_ids,
)


def move(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="PLACE",
            help="A data directory, or a database such as postgresql://user:password@host/name "
            "that has both catalog and readings.",
        ),
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="The same, empty or not there yet.")
    ],
    source_readings: Annotated[
        str | None,
        typer.Option("--from-readings", metavar="PLACE", help="Where the readings are elsewhere."),
    ] = None,
    target_readings: Annotated[
        str | None,
        typer.Option(
            "--to-readings", metavar="PLACE", help="Where the readings shall be elsewhere."
        ),
    ] = None,
) -> None:
    """Copy users, devices, tokens and readings into another store. No server may run on either.

    From one data directory to another, what MQTT keeps goes too; else it is said what to copy.

    The source stays as it is. Run it again after an interruption and it goes on. In the end, every
    table and every series is compared by counts and checksums.

    [dim]Example:[/dim] barograph move --from data --to postgresql://barograph@localhost/barograph
    """
    there = _settings("--from", source, source_readings, new=False)
    here = _settings("--to", target, target_readings, new=True)
    if catalog_url(there) == catalog_url(here):
        raise ConfigurationError("--from and --to are the same place")
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
        console=console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with closing(catalog_copy(there, here)) as catalog, bar:
        rows = catalog.rows()
        task = bar.add_task("catalog", total=rows)
        catalog.run(lambda _, more: bar.advance(task, more))
        with (
            closing(open_readings(there)) as old,
            closing(open_readings(here)) as new,
        ):
            series = series_ids(there)
            task = bar.add_task("readings", total=sum(old.counts().values()))
            moved = copy_readings(old, new, series, lambda more: bar.advance(task, more))
        between_directories = "://" not in source and "://" not in target
        if between_directories:
            move_mqtt(there.data_dir, here.data_dir)
        catalog.finish()
    say(
        f"{rows:,} rows of the catalog and {moved.readings:,} readings of {len(series):,} series "
        f"moved and compared (checksum {moved.checksum:016x})"
    )
    if not between_directories:
        say(
            f"What MQTT keeps (sessions, retained messages) lies in files of the data directory, not in "
            f"a database, and was not moved. {_MQTT_ADVICE.format(directory=_directory(source))}"
        )
    if "://" in target:
        say("Serve them with the settings database_url and readings_url.")
    else:
        say(f"Serve them: barograph serve --data-dir {target}")


_MQTT_ADVICE = (
    "Start the server with the same data directory as before{directory}, or copy mqtt.db and "
    "mqtt-bridge* from there into the new one before its first start"
)


def _directory(source: str) -> str:
    return "" if "://" in source else f" ({source})"


def _settings(option: str, place: str, readings: str | None, *, new: bool) -> Settings:
    """The settings of a server on the place; the environment has no say in it."""
    database = place if "://" in place else ""
    elsewhere = database if readings is None else readings if "://" in readings else ""
    directory = Path(place if not database else readings or ".")
    if not database or (readings is not None and not elsewhere):
        if not new and not directory.is_dir():
            raise ConfigurationError(f"{option} {directory}: there is no such directory")
        running = local(Target(data_dir=directory))
        if running is not None:
            raise ConfigurationError(
                f"a server is running on {directory} (process {running.pid}): stop it first"
            )
        if new:
            prepare(directory)
    return config.load(None, data_dir=directory, database_url=database, readings_url=elsewhere)
