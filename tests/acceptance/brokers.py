"""Mosquitto and RabbitMQ as a test starts, restarts and kills them: on free ports, with their own data.

Both are told to keep what they acknowledged, as `docs/bridge.md` says.
"""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from shutil import which

from tests.waiting import PATIENCE_SECONDS, free_port, until

RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MOSQUITTO = which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
START_SECONDS_MAX = 100


class Broker:
    """A process that serves MQTT on `port`, with one user."""

    username, password = "barograph", "a-secret-of-tests"

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        self.port = free_port()
        self.url = f"mqtt://{self.username}:{self.password}@127.0.0.1:{self.port}"
        self.configure()
        self.start()

    def start(self):
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.kill()
        log = (self.directory / "log").read_text()
        raise AssertionError(f"the broker did not start:\n{log[-3000:]}")

    def environment(self):
        return dict(os.environ)

    def save(self):
        """Wait until what is acknowledged is on the disk."""

    def kill(self):
        """As a power cut does it to a process, and those that it started."""
        self._signal(signal.SIGKILL)

    def stop(self):
        """As its administrator does it."""
        self._signal(signal.SIGTERM)

    def _signal(self, number):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait(PATIENCE_SECONDS)


class Mosquitto(Broker):
    """Mosquitto; `lines` go into its configuration."""

    def __init__(self, directory, *lines, tls=()):
        self._lines, self._tls = lines, tls
        super().__init__(directory)

    def configure(self):
        passwords = self.directory / "passwords"
        passwords.touch(mode=0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", passwords, self.username, self.password],
            check=True,
            capture_output=True,
        )
        lines = [
            f"listener {self.port} 127.0.0.1",
            *self._tls,
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence true",
            f"persistence_location {self.directory}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            "max_inflight_messages 1000",
            f"user {os.environ.get('USER', 'root')}",
            *self._lines,
        ]
        (self.directory / "mosquitto.conf").write_text("\n".join(lines))

    def save(self):
        """It writes every second what it has, if it has anything new."""
        file = self.directory / "mosquitto.db"
        for _ in range(2):  # the first may have been begun before
            before = file.stat().st_mtime_ns if file.exists() else 0
            until(lambda before=before: file.exists() and file.stat().st_mtime_ns != before)

    def command(self):
        return [MOSQUITTO, "-c", str(self.directory / "mosquitto.conf")]


class RabbitMQ(Broker):
    """RabbitMQ with its MQTT plugin: a node of its own."""

    def configure(self):
        self._amqp_port, self._node_port = free_port(), free_port()
        files = {
            "rabbitmq.conf": (
                f"listeners.tcp.1 = 127.0.0.1:{self._amqp_port}\n"
                f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                "mqtt.allow_anonymous = false\n"
                "mqtt.prefetch = 1000\n"
                f"default_user = {self.username}\ndefault_pass = {self.password}\n"
            ),
            "enabled_plugins": "[rabbitmq_mqtt].\n",
            "env.conf": "",
        }
        for name, content in files.items():
            (self.directory / name).write_text(content)

    def environment(self):
        home = self.directory
        return {
            **os.environ,
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"bridge-{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log.d"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1:1"
            ),
        }

    def command(self):
        return [str(RABBITMQ_SERVER)]


KINDS = {"mosquitto": Mosquitto, "rabbitmq": RabbitMQ}


def missing(kind):
    """Why there can be no broker of this kind here; empty if there can."""
    if kind == "mosquitto":
        there = MOSQUITTO and which("mosquitto_passwd")
    else:
        there = RABBITMQ_SERVER.exists()
    return "" if there else f"{kind} is not installed"
