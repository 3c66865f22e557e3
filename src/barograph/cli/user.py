"""`barograph user`: users, their passwords and API tokens."""

import sys
from typing import Annotated, Literal

import typer

from barograph.cli.output import note, print_table, say
from barograph.cli.target import Target, connected, of_a_server
from barograph.client import Client, User
from barograph.domain.errors import ConfigurationError, NotFound

app = typer.Typer(help="Users, their passwords and API tokens.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(help="The user's name.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you are sure.")]


@app.command()
@of_a_server
def create(
    target: Target,
    *,
    username: Annotated[str, typer.Argument(help="What to call the user.")],
    email: Annotated[
        str | None, typer.Option(help="E-mail address; asked for where it is not given.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Make an administrator, such as the first one.")
    ] = False,
    role: Annotated[Literal["admin", "member", "viewer"], typer.Option()] = "member",
    password_stdin: PasswordStdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="A user that acts by token only.")
    ] = False,
) -> None:
    """Register a user. The password is asked for, or read from standard input.

    [dim]Example:[/dim] barograph user create --admin ada --email ada@example.org
    """
    address = email or ask_for_email()
    password = None if no_password else read_password(stdin=password_stdin)
    with connected(target) as client:
        made = client.create_user(username, address, password, role="admin" if admin else role)
    say(f"user {made.username} ({made.role}) has id {made.id}")
    say(f"API token, shown this once: {made.token}")


@app.command("list")
@of_a_server
def list_users(
    target: Target,
    *,
    search: Annotated[str, typer.Argument(help="A part of the name.")] = "",
) -> None:
    """List the users.

    [dim]Example:[/dim] barograph user list
    """
    with connected(target) as client:
        rows = [
            (user.id, user.username, user.email, user.role, user.created_time)
            for user in client.users(search)
        ]
    print_table(("id", "username", "email", "role", "created"), rows)


@app.command()
@of_a_server
def delete(
    target: Target,
    *,
    username: Username,
    devices: Annotated[
        Literal["delete"] | None,
        typer.Option(help="delete: also remove the user's devices with their readings."),
    ] = None,
    devices_to: Annotated[
        str | None, typer.Option(help="Hand the devices to this user.", metavar="USERNAME")
    ] = None,
    yes: Yes = False,
) -> None:
    """Remove a user, and say what becomes of the user's devices.

    [dim]Example:[/dim] barograph user delete ada --devices-to grace
    """
    with connected(target) as client:
        user = named(client, username)
        heir = None if devices_to is None else named(client, devices_to)
        if not yes:
            typer.confirm(f"Remove the user {user.username}?", abort=True)
        client.delete_user(
            user.id,
            delete_devices=devices == "delete",
            devices_to=None if heir is None else heir.id,
        )
    say(f"user {user.username} is removed")


@app.command()
@of_a_server
def password(
    target: Target,
    *,
    username: Username,
    password_stdin: PasswordStdin = False,
) -> None:
    """Set a user's password, which ends the user's sessions.

    [dim]Example:[/dim] barograph user password ada
    """
    with connected(target) as client:
        user = named(client, username)
        client.change_user(user.id, password=read_password(stdin=password_stdin))
    say(f"user {user.username} has a new password")


@app.command("token")
@of_a_server
def tokens(
    target: Target,
    *,
    username: Username,
    name: Annotated[str, typer.Option(help="What to call the new token.")] = "command line",
    show: Annotated[bool, typer.Option("--list", help="List the tokens instead.")] = False,
    revoke: Annotated[
        int | None, typer.Option(help="Revoke the token with this id instead.", metavar="ID")
    ] = None,
) -> None:
    """Make an API token for a user; list and revoke them.

    [dim]Example:[/dim] barograph user token ada --name laptop
    """
    with connected(target) as client:
        user = named(client, username)
        if revoke is not None:
            client.revoke_token(revoke, user.id)
            say(f"token {revoke} of {user.username} is revoked")
        elif show:
            held = client.list_tokens(user.id)
            print_table(
                ("id", "name", "created", "last used"),
                [(one.id, one.name, one.created_time, one.last_used_time) for one in held],
            )
        else:
            made = client.create_token(name, user.id)
            note(f"token {made.id} of {user.username}, shown this once:")
            say(made.token)


def named(client: Client, username: str) -> User:
    """The user of that name; raises `NotFound`."""
    for user in client.users(username):
        if user.username.casefold() == username.casefold():
            return user
    raise NotFound(f"there is no user {username!r}: see barograph user list")


def ask_for_email() -> str:
    """An e-mail address from the terminal."""
    if not sys.stdin.isatty():
        raise ConfigurationError("there is no terminal to ask for the e-mail address: use --email")
    answer: str = typer.prompt("E-mail address")
    return answer


def read_password(*, stdin: bool) -> str:
    """A password from standard input or, twice and unseen, from the terminal."""
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise ConfigurationError("--password-stdin: there is no password on standard input")
        return given
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "there is no terminal to ask for the password: give it on standard input with "
            "--password-stdin"
        )
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer
