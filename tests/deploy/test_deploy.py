"""Files for running Barograph in containers and under systemd, as far as no engine is needed."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
import yaml
from tests.waiting import PATIENCE_SECONDS, free_port

from barograph import config

ROOT = Path(__file__).parents[2]
COMPOSE = sorted(path.name for path in ROOT.glob("compose*.yaml"))
VARIANTS = {
    "alone": ["compose.yaml"],
    "postgres": ["compose.yaml", "compose.postgres.yaml"],
    "mysql": ["compose.yaml", "compose.mysql.yaml"],
    "mosquitto": ["compose.yaml", "compose.mosquitto.yaml"],
}
UNITS = ("barograph.service", "barograph-worker.service")
SETTINGS = {entry.environment: entry for entry in config.entries()}
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
# What a line may say of passwords without being one.
_NO_PASSWORD = re.compile(r"\$\{\w+:\?|RANDOM_ROOT_PASSWORD|^\s*#|POSTGRES_HOST_AUTH|ALLOW_EMPTY")


class _Loader(yaml.SafeLoader):
    """YAML with the tags that Compose adds."""


_Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def filled(text, **given):
    """The text with its variables filled in, as Compose does it."""

    def fill(match):
        name, kind, word = match.groups()
        if given.get(name):
            return given[name]
        assert kind != "?", f"{name}: {word}"
        return word or ""

    return _VARIABLE.sub(fill, text)


def loaded(name):
    text = (ROOT / name).read_text()
    required = {match[1]: "secret" for match in _VARIABLE.finditer(text) if match[2] == "?"}
    return yaml.load(filled(text, **required), _Loader)


def merged(names):
    """The services of several files, one over the other, their environments joined."""
    services = {}
    for name in names:
        for service, said in loaded(name)["services"].items():
            known = services.setdefault(service, {})
            environment = {**known.get("environment", {}), **said.get("environment", {})}
            known.update(said, environment=environment)
    return services


def ours(services):
    """Those that run Barograph."""
    return {name: one for name, one in services.items() if one.get("image") == "barograph"}


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_is_one_by_the_specification(name):
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    errors = jsonschema_rs.validator_for(schema).iter_errors(loaded(name))
    assert [str(error) for error in errors] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variable_is_a_setting_and_all_together_can_be_loaded(variant, monkeypatch):
    for name, service in ours(merged(VARIANTS[variant])).items():
        given = {key: value for key, value in service["environment"].items() if key}
        assert set(given) <= set(SETTINGS), name
        for key, value in given.items():
            monkeypatch.setenv(key, "" if value is None else str(value))
        config.load()


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_runs_barograph_has_no_rights_that_it_does_not_need(variant):
    for service in ours(merged(VARIANTS[variant])).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ["postgres", "mysql"])
def test_a_worker_has_the_settings_of_its_server(name):
    services = merged(VARIANTS[name])
    server, worker = (services[one]["environment"] for one in ("barograph", "worker"))
    assert {key: worker[key] for key in server} == server


def test_no_password_has_a_default():
    for path in [*ROOT.glob("compose*.yaml"), ROOT / ".env.example", ROOT / "Dockerfile"]:
        for line in path.read_text().splitlines():
            value = re.search(r"(?i)\w*(?:password|secret)\w*\s*[:=]\s*(\S+)", line)
            if value and not _NO_PASSWORD.search(line):
                raise AssertionError(f"{path.name}: {line}")
    with pytest.raises(AssertionError, match="POSTGRES_PASSWORD"):
        filled((ROOT / "compose.postgres.yaml").read_text())


def test_the_example_of_the_environment_has_every_variable():
    used = {
        match[1]
        for names in VARIANTS.values()
        for name in names
        for match in _VARIABLE.finditer((ROOT / name).read_text())
    }
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert given == used


def test_compose_itself_understands_the_files():
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("docker compose is not installed")
    environment = {
        **os.environ,
        **dict.fromkeys(
            (
                "POSTGRES_PASSWORD",
                "MYSQL_PASSWORD",
                "MOSQUITTO_PASSWORD",
                "MOSQUITTO_DEVICES_PASSWORD",
            ),
            "x",
        ),
    }
    for names in VARIANTS.values():
        files = [option for name in names for option in ("-f", name)]
        command = [docker, "compose", *files, "config", "--quiet"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


# The image


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert len([line for line in lines if line.startswith("FROM ")]) == 2
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    variables = set(re.findall(r"\bBAROGRAPH_\w+", "\n".join(lines)))
    assert variables
    assert variables <= set(SETTINGS)


def test_what_the_image_copies_is_there_and_not_ignored():
    text = (ROOT / "Dockerfile").read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(let_in)
    for name in copied:
        assert (ROOT / name).exists()


def test_the_image_has_every_driver_in_the_versions_that_are_tested():
    def pins(name):
        return set(re.findall(r"^([a-z0-9_.-]+==[^ ]+)", (ROOT / name).read_text(), re.MULTILINE))

    server = pins("requirements-server.txt")
    names = {pin.partition("==")[0] for pin in server}
    assert {"celery", "redis", "psycopg", "psycopg-binary", "pymysql", "duckdb"} <= names
    assert pins("requirements.txt") <= server <= pins("requirements-dev.txt")


# systemd


@pytest.fixture(scope="module")
def analyze():
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd is not installed")
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_the_unit(analyze, tmp_path, name):
    text = (ROOT / "deploy" / "systemd" / name).read_text()
    # It looks whether the program is there.
    (tmp_path / name).write_text(text.replace("/opt/barograph/bin/barograph", sys.executable))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if name in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_leaves_little_to_attack(analyze, name):
    path = str(ROOT / "deploy" / "systemd" / name)
    command = [analyze, "security", "--offline=yes", "--no-pager", "--threshold=15", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd is too old to judge a unit that is not loaded")
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_s_command_has_options_that_there_are(barograph_help, name):
    command = re.search(
        r"^ExecStart=\S+ (.+)$", (ROOT / "deploy" / "systemd" / name).read_text(), re.MULTILINE
    )
    verb, *words = command[1].split()
    told = barograph_help(verb)
    for option in (word for word in words if word.startswith("--")):
        assert option in told


@pytest.fixture
def barograph_help():
    def told(verb):
        command = [sys.executable, "-m", "barograph", verb, "--help"]
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout

    return told


def test_a_server_works_where_no_memory_may_become_code(tmp_path):
    """`MemoryDenyWriteExecute` of the units, by the kernel's own means (prctl, Linux 6.3)."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:  # PR_GET_MDWE
        pytest.skip("this kernel cannot refuse memory that is written and then run")
    denied = (
        "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0; "
        "os.execv(sys.executable, [sys.executable, '-m', 'barograph', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", denied, "serve", "--port", "0", "--data-dir", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = announced(process, tmp_path)
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            user = {"username": "ann", "email": "ann@example.org", "password": "a barograph draws"}
            assert client.post("/api/users", json=user).status_code == 201
            assert client.post("/stats/k", json={"x": 1}).status_code == 201
            told = client.get("/api/analytics/devices/k").json()
            assert told["metrics"]["x"]["median"] == 1
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


def announced(process, directory):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return json.loads((directory / "server.json").read_text())["url"]
        except (OSError, ValueError):
            time.sleep(0.05)
    raise AssertionError((directory / "log").read_text())


# Mosquitto


def test_mosquitto_keeps_what_it_acknowledges_as_the_page_on_bridges_says():
    advised = re.search(
        r"```\n# /etc/mosquitto/conf.d/barograph.conf\n(.*?)```",
        (ROOT / "docs" / "bridge.md").read_text(),
        re.DOTALL,
    )[1]
    ours = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text().splitlines()
    lines = [line for line in advised.splitlines() if line and "/" not in line]
    assert "autosave_interval 1" in lines
    assert [line for line in lines if line not in ours] == []


def test_devices_reach_barograph_by_the_mosquitto_that_is_configured_here(tmp_path, serve):
    mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if mosquitto is None or shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    conf = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
    for inside, here in (
        ("listener 1883", f"listener {port} 127.0.0.1"),
        ("/tmp/passwords", str(tmp_path / "passwords")),
        ("/mosquitto/config", str(ROOT / "deploy" / "mosquitto")),
        ("/mosquitto/data/", f"{tmp_path}/"),
    ):
        assert inside in conf
        conf = conf.replace(inside, here)
    (tmp_path / "conf").write_text(f"{conf}user {os.environ.get('USER', 'root')}\n")
    (tmp_path / "passwords").touch(0o600)
    for user in ("barograph", "devices"):
        command = ["mosquitto_passwd", "-b", str(tmp_path / "passwords"), user, f"{user}-secret"]
        subprocess.run(command, check=True, capture_output=True)
    broker = subprocess.Popen([mosquitto, "-c", str(tmp_path / "conf")], stderr=subprocess.DEVNULL)
    try:
        services = merged(VARIANTS["mosquitto"])
        bridge = services["barograph"]["environment"]["BAROGRAPH_MQTT_BRIDGE"]
        bridge = bridge.replace("secret@mosquitto:1883", f"barograph-secret@127.0.0.1:{port}")
        url = serve(BAROGRAPH_MQTT_BRIDGE=bridge).url
        httpx.post(
            f"{url}/api/devices",
            json={"name": "Kitchen", "key": "kitchen"},
            timeout=PATIENCE_SECONDS,
        )
        publish = ["mosquitto_pub", "-p", str(port), "-q", "1", "-u", "devices"]
        publish += ["-P", "devices-secret", "-t", "devices/kitchen/temperature", "-m", "21.5"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            subprocess.run(publish, check=False, capture_output=True)
            told = httpx.get(f"{url}/api/devices/kitchen/latest", timeout=PATIENCE_SECONDS)
            if told.json()["metrics"]:
                break
            time.sleep(0.2)
        assert told.json()["metrics"]["temperature"]["value"] == 21.5
        wrong = [word if word != "devices-secret" else "guessed" for word in publish]
        assert subprocess.run(wrong, check=False, capture_output=True).returncode != 0
    finally:
        broker.terminate()
        broker.wait(PATIENCE_SECONDS)
