"""`barograph import`: readings from files."""

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from barograph.cli.importing.files import Chunk, File, fingerprint, opened
from barograph.cli.importing.progress import ProgressFile
from barograph.cli.importing.shape import Gathered, Shape
from barograph.cli.output import console, note, say
from barograph.cli.target import Target, connected, of_a_server
from barograph.client import BarographClientError, Client, NotFound
from barograph.client import InvalidInput as Refused
from barograph.domain.device import check_key
from barograph.domain.errors import ConfigurationError, InvalidInput
from barograph.domain.time import format_time, parse_zone

_PLACE = re.compile(r"(?P<column>.*)\[(?P<row>\d+)\]\Z", re.DOTALL)


@of_a_server
def import_files(
    target: Target,
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV, NDJSON or Parquet files.")
    ],
    device: Annotated[
        str | None, typer.Option(help="Whose readings these are: a device's key or id.")
    ] = None,
    device_column: Annotated[
        str | None, typer.Option(help="The column that names the device. Default: device.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="The column of times. Default: ts, time, date …")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to take, and the metric to make of it. Default: all columns.",
            metavar="COLUMN[=METRIC]",
        ),
    ] = None,
    metric_column: Annotated[
        str | None, typer.Option(help="For files with a reading a row. Default: metric.")
    ] = None,
    value_column: Annotated[
        str | None, typer.Option(help="For files with a reading a row. Default: value.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="The zone of times that have none, such as Europe/Berlin.")
    ] = "UTC",
    time_format: Annotated[
        str | None, typer.Option(help="Such as %d.%m.%Y %H:%M, where times are not RFC 3339.")
    ] = None,
    nothing: Annotated[
        list[str] | None,
        typer.Option("--nothing", help="A cell that is no reading, such as NA.", metavar="TEXT"),
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Register missing devices.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted import stopped.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read the files, and say what they hold.")
    ] = False,
) -> None:
    """Store the readings of files. Importing a file again changes nothing.

    A file has a row for each time and a column for each metric, or a row for each reading and the
    columns device, metric and value.

    [dim]Example:[/dim] barograph import weather.csv --device roof --create
    """
    shape = Shape(
        device=device,
        device_column=device_column,
        time_column=time_column,
        metric_column=metric_column,
        value_column=value_column,
        metrics=dict(_mapping(one) for one in metric or ()),
        nothing=frozenset(nothing or ()),
        zone=_zone(timezone),
        time_format=time_format,
    )
    with ExitStack() as opening:
        send: Callable[[str, Gathered], None] | None = None
        if not dry_run:
            client = opening.enter_context(connected(target))
            send = _Sender(client, create=create).send
        for path in files:
            _Import(path, shape, send).run(resume=resume)


def _mapping(text: str) -> tuple[str, str]:
    column, _, metric = text.partition("=")
    return column, metric or column


def _zone(name: str) -> ZoneInfo:
    try:
        return parse_zone(name)
    except ValueError as error:
        raise ConfigurationError(f"--timezone: {error}") from None


class _Sender:
    """Writes to devices, which are looked up once."""

    def __init__(self, client: Client, *, create: bool) -> None:
        self._client = client
        self._create = create
        self._ids: dict[str, int] = {}

    def send(self, device: str, gathered: Gathered) -> None:
        """Store the rows; returns when they are on stable storage."""
        if device not in self._ids:
            self._ids[device] = self._find(device)
        self._client.write(self._ids[device], gathered.columns())

    def _find(self, device: str) -> int:
        try:
            return self._client.get_device(device).id
        except NotFound:
            if not self._create:
                raise InvalidInput.of(
                    device, "there is no such device: register it, or let --create do so"
                ) from None
        check_key(device)
        return self._client.create_device(device, key=device).id


@dataclass(slots=True)
class _Found:
    """What was read, for the last line."""

    rows: int = 0
    readings: int = 0
    devices: set[str] = field(default_factory=set)
    metrics: dict[str, None] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None

    def count(self, device: str, gathered: Gathered) -> None:
        """Take rows of a device into account."""
        self.readings += gathered.readings
        self.devices.add(device)
        self.metrics.update(dict.fromkeys(gathered.values))
        first, last = min(gathered.times), max(gathered.times)
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)


class _Import:
    """One file on its way."""

    def __init__(
        self, path: Path, shape: Shape, send: Callable[[str, Gathered], None] | None
    ) -> None:
        self._path = path
        self._shape = shape
        self._send = send
        self._file: File = opened(path)
        self._found = _Found()

    def run(self, *, resume: bool) -> None:
        """Read the file, and store what it holds unless this is a dry run."""
        progress = ProgressFile(self._path, fingerprint(self._path))
        if resume:
            stored = progress.load()
            self._found.rows, self._found.readings = stored.rows, stored.readings
            if stored.rows:
                note(f"{self._path}: going on after {stored.rows:,} rows")
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(show_speed=False),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        before = self._found.readings
        with bar:
            task = bar.add_task(self._path.name, total=self._file.size, rate="")
            for chunk in self._file.chunks(self._found.rows):
                try:
                    self._store(chunk)
                except (BarographClientError, KeyboardInterrupt):
                    if self._send is not None and self._found.rows:
                        note(f"{self._path}: interrupted; --resume goes on from there")
                    raise
                if self._send is not None:
                    progress.save(self._found.rows, self._found.readings)
                speed = (self._found.readings - before) / (bar.tasks[task].elapsed or 1)
                bar.update(task, completed=chunk.position, rate=f"{speed:,.0f} readings/s")
        if self._send is not None:
            progress.remove()
        self._tell()

    def _store(self, chunk: Chunk) -> None:
        layout = self._shape.found_in(_all_columns(chunk))
        gathered = layout.gather(chunk.rows, self._wrong, self._file.meaning)
        for device, rows in gathered.items():
            if self._send is not None:
                try:
                    self._send(device, rows)
                except Refused as error:
                    raise self._explained(error, rows) from None
            self._found.count(device, rows)
        self._found.rows += len(chunk.rows)

    def _wrong(self, place: int, column: str, message: str) -> InvalidInput:
        at = f"{self._path}, {self._file.place} {place}, {column}".removesuffix(", ")
        return InvalidInput.of(at, message)

    def _explained(self, error: Refused, rows: Gathered) -> InvalidInput:
        """The server's error, with the place in the file."""
        for problem in error.errors:
            match = _PLACE.match(problem.at)
            if match is not None and int(match["row"]) < len(rows.places):
                place = rows.places[int(match["row"])]
                column = "" if match["column"] == "ts" else match["column"]
                return self._wrong(place, column, problem.message)
        return InvalidInput.of(str(self._path), error.detail)

    def _tell(self) -> None:
        found = self._found
        begun = "would be" if self._send is None else "are"
        period = ""
        if found.first is not None and found.last is not None:
            period = f", {format_time(found.first)} to {format_time(found.last)}"
        say(
            f"{self._path}: {found.readings:,} readings of {found.rows:,} rows {begun} stored"
            f"{period}"
        )
        if self._send is None:
            say(f"  devices  {', '.join(sorted(found.devices)[:20])}")
            say(f"  metrics  {', '.join(list(found.metrics)[:50])}")


def _all_columns(chunk: Chunk) -> dict[str, None]:
    """The columns of all rows: lines of NDJSON need not be alike."""
    first = chunk.rows[0][1].keys()
    columns = dict.fromkeys(first)
    for _, row in chunk.rows:
        if row.keys() != first:
            columns.update(dict.fromkeys(row))
    return columns
