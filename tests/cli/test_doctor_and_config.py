"""`barograph doctor`, `barograph config`, and the help of every command."""

import re
import sqlite3
import tomllib
from pathlib import Path

import pytest
import typer.main

from barograph import config
from barograph.cli.commands import app

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def states(out):
    return dict(re.findall(r"^(\w[\w ]*?)  +(ok|warning|wrong)\b", out, re.MULTILINE))


def test_a_running_server_is_well(barograph, here):
    ran = barograph("doctor", *here)
    found = states(ran.out)
    assert found.keys() >= {"data directory", "disk space", "syncing", "server", "clock", "memory"}
    assert found["server"] == "ok"
    assert "wrong" not in found.values()
    assert ran.status == 0


def test_a_stopped_installation_is_looked_into(barograph, tmp_path):
    place = tmp_path / "data"
    barograph("device", "create", "Kitchen", "--data-dir", place)
    (tmp_path / "free.toml").write_text("port = 0\n")
    free = ("--config", tmp_path / "free.toml", "--data-dir", place)
    found = states(barograph("doctor", *free).out)
    assert (found["catalog"], found["readings"]) == ("ok", "ok")

    place.chmod(0o755)
    assert "chmod 700" in barograph("doctor", *free).out
    place.chmod(0o700)
    connection = sqlite3.connect(place / "data.db")
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    assert states(barograph("doctor", *free).out)["catalog"] == "warning"
    (place / "data.db").write_bytes(b"nonsense" * 1000)
    ran = barograph("doctor", *free)
    assert states(ran.out)["catalog"] == "wrong"
    assert ran.status == 1


def test_a_certificate_that_cannot_be_used_is_found(barograph, tmp_path):
    file = tmp_path / "barograph.toml"
    file.write_text('port = 0\nmqtt_tls_certificate = "/a.pem"\nmqtt_tls_key = "/b.pem"\n')
    ran = barograph("doctor", "--config", file, "--data-dir", tmp_path / "data")
    assert states(ran.out)["TLS"] == "wrong"
    assert "/a.pem: No such file" in " ".join(ran.out.split())


def test_config_shows_every_setting_and_where_it_came_from(barograph, tmp_path, monkeypatch):
    file = tmp_path / "barograph.toml"
    file.write_text('port = 1234\nretention = "30d"\n[limits]\npage_items_max = 77\n')
    monkeypatch.setenv("BAROGRAPH_LOG_LEVEL", "debug")
    out = barograph("config", "--config", file).out
    shown = {line.split()[0]: line.split()[1:3] for line in out.splitlines()}
    assert shown.keys() >= {entry.name for entry in config.entries()}
    assert shown["port"] == ["1234", str(file)]
    assert shown["retention"] == ["30d", str(file)]
    assert shown["limits.page_items_max"] == ["77", str(file)]
    assert shown["log_level"] == ["debug", "environment"]
    assert shown["timezone"] == ["UTC", "default"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "postgresql://ann:GEHEIM@host/db"),
        ("readings_url", "postgresql://host/db?user=ann&password=GEHEIM&sslmode=require"),
        ("webhooks", '{"office": "https://ann:GEHEIM@example.org/hook"}'),
        ("webhook_secret", "GEHEIM, and long enough"),
    ],
)
def test_config_shows_no_secret(barograph, monkeypatch, name, value):
    monkeypatch.setenv(f"BAROGRAPH_{name.upper()}", value)
    ran = barograph("config")
    shown = next(line for line in ran.out.splitlines() if line.startswith(f"{name} "))
    assert "***" in shown
    assert "GEHEIM" not in shown


def test_a_file_that_cannot_be_read_is_one_line(barograph, tmp_path):
    file = tmp_path / "barograph.toml"
    file.write_bytes(b"port = 1\xff")
    ran = barograph("config", "--config", file)
    assert (ran.status, len(ran.err.splitlines())) == (2, 1)


def test_the_example_file_holds_every_setting_and_is_valid(barograph, tmp_path):
    file = tmp_path / "barograph.toml"
    text = barograph("config", "--toml").out
    file.write_text(re.sub(r"^# (\w+ = .)", r"\1", text, flags=re.MULTILINE))
    assert config.load(file).model_dump() == config.load().model_dump()
    table = tomllib.loads(file.read_text())
    named = {*table, *(f"limits.{name}" for name in table["limits"])} - {"limits"}
    assert named == {entry.name for entry in config.entries() if entry.default is not None}
    assert all(f"# {entry.name.split('.')[-1]} =" in text for entry in config.entries())


def commands():
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {below}", one) for below, one in inner.items())


@pytest.mark.parametrize(
    ("name", "command"), [one for one in commands() if one[0] != "serve"], ids=str
)
def test_every_command_teaches_by_an_example_and_is_documented(name, command):
    assert f"barograph {name}" in command.help.split("Example:")[1]
    assert f"barograph {name}" in DOCS.read_text()


def test_a_variable_that_is_no_setting_is_named_with_what_may_be_meant():
    given = {
        "BAROGRAPH_CONNECTIONS_MAX": "5",
        "BAROGRAPH_LIMITS_BODY_BYTES_MAX": "5",
        "BAROGRAPH_RETENTON": "30d",
        "BAROGRAPH_COLOUR_OF_THE_SKY": "blue",
        "BAROGRAPH_URL": "http://localhost",
        "BAROGRAPH_LIMITS__BODY_BYTES_MAX": "5",
        "barograph_port": "5",
        "HOME": "/",
    }
    said = list(config.misnamed(given))
    assert [sentence.split()[0] for sentence in said] == [
        "BAROGRAPH_COLOUR_OF_THE_SKY",
        "BAROGRAPH_CONNECTIONS_MAX",
        "BAROGRAPH_LIMITS_BODY_BYTES_MAX",
        "BAROGRAPH_RETENTON",
    ]
    assert "meant" not in said[0]
    assert "is BAROGRAPH_LIMITS__CONNECTIONS_MAX meant?" in said[1]
    assert "is BAROGRAPH_LIMITS__BODY_BYTES_MAX meant?" in said[2]
    assert "is BAROGRAPH_RETENTION meant?" in said[3]


def test_the_server_says_which_variable_is_no_setting(serve):
    server = serve(BAROGRAPH_CONNECTIONS_MAX="5")
    assert "is BAROGRAPH_LIMITS__CONNECTIONS_MAX meant?" in server.log.read_text()


def test_wrong_settings_are_one_line(barograph, tmp_path):
    ran = barograph("config", "--config", tmp_path / "none.toml")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "there is no such file" in ran.err
