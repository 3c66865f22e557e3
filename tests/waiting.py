"""Waiting for what comes in the end, and ports for servers that go and come back.

A test waits for a condition, as long as the slowest machine may take: that costs nothing where it
comes at once.
"""

import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 240

_PORTS = range(20_000, 30_000)


def until(look: Callable[[], Any], what: Callable[[], object] = lambda: "it") -> Any:
    """What `look` finds, in the end; `what` tells what never came."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what()}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """A port of this machine that stays free while its server is away.

    Systems give connections ports from 32768 on (Linux) or from 49152: of those, one that a server
    has left may be another's a moment later, or that of a client that looks whether it is back.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("a hundred ports are taken")
