"""`barograph backup`: a copy of everything, made beside running writes."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from barograph.cli.output import say
from barograph.cli.target import Target, connected, of_a_server
from barograph.client import Client
from barograph.domain.errors import ConfigurationError
from barograph.services.backups import sync, sync_tree, verified


@of_a_server
def backup(
    target: Target,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Where to put it: a new directory.")
    ],
) -> None:
    """Copy users, devices, tokens, readings and MQTT sessions to a new directory. Nothing stops.

    What lies on a database server is left out, and it is said what copies it.

    [dim]Example:[/dim] barograph backup /mnt/backups/2026-11-21
    """
    if directory.exists():
        raise ConfigurationError(f"{directory} exists already: name a new directory")
    if not directory.absolute().parent.is_dir():
        raise ConfigurationError(f"there is no directory {directory.absolute().parent}")
    with connected(target) as client:
        made = Path(_made(client, remote=target.url is not None))
    try:
        _move(made, directory)
    except OSError as error:
        raise ConfigurationError(
            f"the backup is in {made}, but cannot be moved to {directory}: {error.strerror}"
        ) from None
    manifest = verified(directory)
    say(f"{directory}: {len(manifest.files)} files, {manifest.size:,} bytes, checked")
    for one in manifest.left_out:
        say(f"not in it: {one}")


def _made(client: Client, *, remote: bool) -> str:
    backup = client.back_up()
    if remote and not Path(backup.path).is_dir():
        raise ConfigurationError(
            f"the backup is made, in {backup.path} on the machine of {client.url}: "
            "copy it from there"
        )
    return backup.path


def _move(made: Path, directory: Path) -> None:
    """Move the backup, onto another file system if need be; it gets its name when it is whole."""
    try:
        made.rename(directory)
    except OSError:
        partial = directory.with_name(directory.name + ".part")
        try:
            shutil.copytree(made, partial)
            sync_tree(partial)
            partial.rename(directory)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        shutil.rmtree(made)
    sync(directory.absolute().parent)
