"""`barograph device`: devices and their tokens."""

from typing import Annotated

import typer

from barograph.cli.output import note, print_table, say
from barograph.cli.target import Target, connected, of_a_server
from barograph.cli.user import Yes, named
from barograph.domain.errors import ConfigurationError

app = typer.Typer(help="Devices and their tokens.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="DEVICE", help="The device's key or id.")]


@app.command()
@of_a_server
def create(
    target: Target,
    *,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    key: Annotated[
        str | None, typer.Option(help="What it calls itself. Default: device-<id>.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Its owner. Default: who asks.", metavar="USERNAME")
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Something to note about it.", metavar="NAME=TEXT")
    ] = None,
) -> None:
    """Register a device; prints its token.

    [dim]Example:[/dim] barograph device create "Kitchen sensor" --key kitchen
    """
    attributes = dict(_pair(one) for one in attribute or ())
    with connected(target) as client:
        owner = None if user is None else named(client, user).id
        made = client.create_device(name, key=key, user_id=owner, attributes=attributes)
    say(f"device {made.key} has id {made.id}")
    say(f"token, shown this once: {made.token}")


@app.command("list")
@of_a_server
def list_devices(
    target: Target,
    *,
    search: Annotated[str, typer.Argument(help="A part of the name or key.")] = "",
    user: Annotated[
        str | None, typer.Option(help="Those of this user.", metavar="USERNAME")
    ] = None,
) -> None:
    """List the devices.

    [dim]Example:[/dim] barograph device list kitchen
    """
    with connected(target) as client:
        owner = None if user is None else named(client, user).id
        rows = [
            (device.id, device.key, device.name, device.user_id, device.last_seen)
            for device in client.devices(search, user_id=owner)
        ]
    print_table(("id", "key", "name", "user", "last seen"), rows)


@app.command()
@of_a_server
def show(
    target: Target,
    *,
    device: Ref,
) -> None:
    """Show a device and its newest readings.

    [dim]Example:[/dim] barograph device show kitchen
    """
    with connected(target) as client:
        found = client.get_device(device)
        latest = client.latest(device)
    facts = {
        "id": found.id,
        "key": found.key,
        "name": found.name,
        "user": found.user_id,
        "asset": found.asset_id,
        "attributes": found.attributes or None,
        "round time (s)": found.round_time,
        "created": found.created_time,
        "last seen": found.last_seen,
    }
    print_table(("", ""), [(name, fact) for name, fact in facts.items() if fact is not None])
    if latest.metrics:
        print_table(
            ("metric", "value", "time"),
            [(metric, newest.value, newest.ts) for metric, newest in latest.metrics.items()],
        )


@app.command()
@of_a_server
def delete(
    target: Target,
    *,
    device: Ref,
    yes: Yes = False,
) -> None:
    """Remove a device with all its readings, for good.

    [dim]Example:[/dim] barograph device delete kitchen
    """
    with connected(target) as client:
        found = client.get_device(device)
        if not yes:
            typer.confirm(f"Remove {found.key} ({found.name}) with all its readings?", abort=True)
        client.delete_device(found.id)
    say(f"device {found.key} is removed with its readings")


@app.command("token")
@of_a_server
def rotate(
    target: Target,
    *,
    device: Ref,
) -> None:
    """Give a device a new token; the old one stops working at once.

    [dim]Example:[/dim] barograph device token kitchen
    """
    with connected(target) as client:
        made = client.rotate_device_token(device)
    note(f"the new token of {device}, shown this once:")
    say(made)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigurationError(f"--attribute {text}: write it as NAME=TEXT")
    return name, value
