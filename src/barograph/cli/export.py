"""`barograph export`: readings into files."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal
from urllib.parse import quote

import typer
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from barograph.cli.output import console, note
from barograph.cli.target import Target, connected, of_a_server
from barograph.client import Client
from barograph.domain.errors import ConfigurationError

Form = Literal["csv", "ndjson", "parquet"]
_FORMS: tuple[Form, ...] = ("csv", "ndjson", "parquet")


@of_a_server
def export(
    target: Target,
    *,
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE]...", help="Devices' keys or ids.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All devices.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file, or for several devices the directory. Default: standard output.",
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="Default: what the file's name ends with, or csv."),
    ] = None,
    metrics: Annotated[
        str, typer.Option(help="Names, separated by commas; * stands for any characters.")
    ] = "",
    start: Annotated[
        str | None, typer.Option(help="From this time on: 2026-05-01, or -7d.", metavar="TIME")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Before this time.", metavar="TIME")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write readings to a file each, as CSV, NDJSON or Parquet; barograph import reads them again.

    [dim]Example:[/dim] barograph export kitchen --start -30d -o kitchen.parquet
    """
    with connected(target) as client:
        keys = [one.key for one in client.devices()] if every else list(devices or ())
        if not keys:
            raise ConfigurationError("name the devices, or --all")
        chosen = form or _form_of(output) or "csv"
        several = every or len(keys) > 1
        if several and output is None:
            raise ConfigurationError("several devices need a directory: --output DIRECTORY")
        if output is None and chosen == "parquet" and sys.stdout.isatty():
            raise ConfigurationError("Parquet is not for terminals: --output FILE")
        names = _file_names(keys)
        for key in keys:
            path = output / f"{names[key]}.{chosen}" if several and output else output
            with opened(path, force=force) as file:
                size = _copy(client, key, chosen, metrics, start, end, file)
            if path is not None:
                note(f"{path}: {size:,} bytes")


def _form_of(output: Path | None) -> Form | None:
    if output is None:
        return None
    suffix = output.suffix.removeprefix(".").lower()
    return next((form for form in _FORMS if form == suffix), None)


def _file_names(keys: Sequence[str]) -> dict[str, str]:
    """A name for each device's file: its key, or what is left of it as a name, if no other's is."""
    plain = {key: key.replace("/", "_").replace(":", "_") for key in keys}
    used = Counter(name.casefold() for name in plain.values())  # some file systems know no case
    return {
        key: name if used[name.casefold()] == 1 else f"{quote(key, safe='')}~{number}"
        for number, (key, name) in enumerate(plain.items(), 1)
    }


@contextmanager
def opened(path: Path | None, *, force: bool) -> Iterator[BinaryIO]:
    """The file to write, which has its name only when it is whole; or standard output."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists already: choose another name, or --force")
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def _copy(
    client: Client,
    key: str,
    form: Form,
    metrics: str,
    start: str | None,
    end: str | None,
    file: BinaryIO,
) -> int:
    size = 0
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar, client.export(key, form, metrics=metrics, start=start, end=end) as pieces:
        task = bar.add_task(key, total=None)
        for piece in pieces:
            file.write(piece)
            size += len(piece)
            bar.update(task, completed=size)
    return size
