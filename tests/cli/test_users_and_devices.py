"""`barograph user` and `barograph device`."""

import subprocess
import sys

import pytest

from barograph.client import Client, Unauthenticated


def with_password(text, *arguments):
    """A process, because the password comes on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "barograph", *map(str, arguments), "--password-stdin"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_administrator_is_made_and_may_sign_in(server, client, here):
    made = with_password(
        "correct horse battery\n",
        *("user", "create", "--admin", "ada", "--email", "ada@example.org", *here),
    )
    assert made.returncode == 0, made.stderr
    assert "user ada (admin) has id" in made.stdout
    assert "correct horse" not in made.stdout + made.stderr
    credentials = client.sign_in("ada", "correct horse battery")
    with Client(server.url, credentials.access_token) as hers:
        assert hers.me().role == "admin"
    changed = with_password("battery horse correct\n", "user", "password", "Ada", *here)
    assert changed.returncode == 0, changed.stderr
    with pytest.raises(Unauthenticated):
        client.sign_in("ada", "correct horse battery")


def test_without_a_terminal_and_an_address_it_is_said_what_to_give(here):
    refused = with_password("correct horse battery\n", "user", "create", "eve", *here)
    assert refused.returncode == 2
    assert "use --email" in refused.stderr


def test_a_bad_password_is_refused_in_words(here):
    refused = with_password("x\n", "user", "create", "eve", "--email", "eve@example.org", *here)
    assert refused.returncode == 1
    assert refused.stderr == "barograph: password: a password has 8 to 1024 characters\n"


def test_a_password_is_never_an_argument(barograph, here):
    ran = barograph("user", "create", "eve", "--password", "secret", *here)
    assert ran.status == 2
    assert "No such option" in ran.err


def test_tokens_of_a_user_are_made_listed_and_revoked(server, barograph, here):
    barograph("user", "create", "grace", "--email", "grace@example.org", "--no-password", *here)
    token = barograph("user", "token", "grace", "--name", "laptop", *here).out.strip()
    with Client(server.url, token) as hers:
        assert hers.me().username == "grace"
        held = barograph("user", "token", "grace", "--list", *here).out
        assert "laptop" in held
        number = next(line.split()[0] for line in held.splitlines() if "laptop" in line)
        barograph("user", "token", "grace", "--revoke", number, *here)
        with pytest.raises(Unauthenticated):
            hers.me()


def test_users_are_listed_and_removed(barograph, client, here):
    barograph("user", "create", "bob", "--email", "bob@example.org", "--no-password", *here)
    barograph("device", "create", "Bob's", "--key", "bobs", "--user", "bob", *here)
    assert "bob@example.org" in barograph("user", "list", *here).out
    refused = barograph("user", "delete", "bob", "--yes", *here)
    assert refused.status == 1
    assert "still has devices (1)" in refused.err
    done = barograph("user", "delete", "bob", "--yes", "--devices", "delete", *here)
    assert done.out == "user bob is removed\n"
    assert not list(client.users("bob"))
    assert barograph("user", "delete", "bob", "--yes", *here).err == (
        "barograph: there is no user 'bob': see barograph user list\n"
    )


def test_devices_are_made_shown_and_removed(server, barograph, client, here):
    made = barograph(
        "device", "create", "Kitchen", "--key", "kitchen", "--attribute", "room=kitchen", *here
    )
    token = made.out.split("token, shown this once: ")[1].strip()
    with Client(server.url, token) as own:
        own.write("kitchen", {"temperature": 21.5})
    shown = barograph("device", "show", "kitchen", *here).out
    assert "temperature" in shown
    assert "21.5" in shown
    assert "room kitchen" in shown
    assert "kitchen" in barograph("device", "list", "kit", *here).out
    rotated = barograph("device", "token", "kitchen", *here).out.strip()
    with Client(server.url, token) as old, pytest.raises(Unauthenticated):
        old.write("kitchen", {"temperature": 1})
    with Client(server.url, rotated) as new:
        new.write("kitchen", {"temperature": 1})
    assert barograph("device", "delete", "kitchen", "--yes", *here).status == 0
    gone = barograph("device", "show", "kitchen", *here)
    assert (gone.status, gone.err) == (1, "barograph: there is no such device\n")


def test_without_a_server_a_command_starts_one_and_stops_it(barograph, tmp_path):
    here = ("--data-dir", tmp_path / "fresh")
    assert barograph("device", "create", "Kitchen", "--key", "kitchen", *here).status == 0
    ran = barograph("device", "list", *here)
    assert "Kitchen" in ran.out
    assert ran.err == ""
    assert not (tmp_path / "fresh" / "server.json").exists()


def test_a_remote_server_asks_for_a_token(barograph, serve, server):
    far = serve("--auth", "required")
    ran = barograph("device", "list", "--url", far.url)
    assert ran.status == 1
    assert "--token" in ran.err
    assert barograph("device", "list", "--url", far.url, "--token", far.token).status == 0
    assert barograph("device", "list", "--url", "nonsense").err.startswith("barograph: --url: ")


def test_what_a_killed_server_left_behind_does_not_mislead(barograph, serve):
    killed = serve()
    killed.kill()
    assert (killed.directory / "data" / "server.json").exists()
    assert barograph("device", "list", "--data-dir", killed.directory / "data").status == 0
