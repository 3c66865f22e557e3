"""How other commands find the server that runs on a data directory.

A running server keeps a file beside its data that only its user can read: its address, and a
token that makes the bearer the local operator for as long as that server runs.
"""

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

logger = logging.getLogger(__name__)

FILE = "server.json"

_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    url: str
    token: str
    pid: int
    mqtt_port: int | None = None


class Announcement:
    """Keeps the file while the server runs.

    On a full disk the server runs all the same, and the file comes once there is room.
    """

    def __init__(
        self,
        data_dir: Path,
        url: str,
        token: str,
        mqtt_port: int | None = None,
        mqtt_tls_port: int | None = None,
    ) -> None:
        self._path = data_dir / FILE
        self._ended = Event()
        self._trying: Thread | None = None
        self._content = json.dumps(
            {
                "url": url,
                "token": token,
                "pid": os.getpid(),
                "mqtt_port": mqtt_port,
                "mqtt_tls_port": mqtt_tls_port,
            }
        )

    def __enter__(self) -> None:
        try:
            self._write()
        except OSError as error:
            logger.warning(
                "other commands cannot find this server yet: %s; it is tried again", error
            )
            self._trying = Thread(target=self._try_again, name="announcement", daemon=True)
            self._trying.start()

    def _write(self) -> None:
        self._path.unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self._content)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            error.filename = str(self._path)
            raise

    def _try_again(self) -> None:
        while not self._ended.wait(_RETRY_SECONDS):
            with contextlib.suppress(OSError):
                self._write()
                return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._trying is not None:
            self._trying.join()
        self._path.unlink(missing_ok=True)


def find(data_dir: Path) -> Running | None:
    """The server that runs on `data_dir`, if there is one."""
    try:
        found = json.loads((data_dir / FILE).read_text())
        running = Running(found["url"], found["token"], found["pid"], found.get("mqtt_port"))
        os.kill(running.pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running
