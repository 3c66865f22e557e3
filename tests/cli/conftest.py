"""Commands, run as `barograph …` runs them."""

import logging
from dataclasses import dataclass

import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.cli import main
from barograph.client import Client


@dataclass
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


@pytest.fixture
def barograph(capsys):
    """`barograph("device", "list", …)` runs a command in this process."""

    def run(*arguments):
        capsys.readouterr()
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            with pytest.raises(SystemExit) as ended:
                main([str(argument) for argument in arguments])
        finally:  # a command that logs does so to what this test captures, which ends with it
            root.handlers[:] = handlers
            root.setLevel(level)
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def here(server):
    """The options that name the server's data directory."""
    return "--data-dir", server.directory / "data"


@pytest.fixture
def client(server):
    with Client(server.url, timeout=PATIENCE_SECONDS) as client:
        yield client
