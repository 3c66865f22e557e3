"""MQTT clients that cost next to nothing: plain sockets, packets made before, in a process of their own.

Every connection repeats the same packets, all of one size, so what is sent next is a slice of bytes
made at the start, and what is acknowledged a number of bytes divided by four.
"""

import multiprocessing
import resource
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.processes import Server

PUBACK_BYTES: Final = 4
CONNACK_BYTES: Final = 4
_QOS0_FRAMES: Final = 400


@dataclass(frozen=True)
class Login:
    """A client: who it is, and the topic that it publishes to."""

    client_id: str
    username: str
    password: str
    topic: str


@dataclass(frozen=True)
class Sent:
    """What a run came to."""

    messages: int
    began: float
    """By `time.perf_counter`, which all processes of a machine share."""
    ended: float
    cpu_seconds: float
    """Of the clients."""

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / (self.ended - self.began)


def text(value: str) -> bytes:
    """A string as MQTT has it (3.1.1, section 1.5.3)."""
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def framed(head: int, body: bytes) -> bytes:
    """A packet (section 2.2)."""
    length, size = b"", len(body)
    while True:
        size, digit = size >> 7, size & 0x7F
        length += bytes((digit | 0x80 if size else digit,))
        if not size:
            return bytes((head,)) + length + body


def publish(topic: str, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH of 3.1.1, at QoS 0 if `packet_id` is 0."""
    identifier = struct.pack("!H", packet_id) if packet_id else b""
    return framed(0x32 if packet_id else 0x30, text(topic) + identifier + payload)


def connect(port: int, login: Login, keep_alive: int = 0) -> socket.socket:
    """A connection of MQTT 3.1.1 that was let in."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=600)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    header = b"\x00\x04MQTT\x04\xc2" + struct.pack("!H", keep_alive)
    texts = (login.client_id, login.username, login.password)
    opened.sendall(framed(0x10, header + b"".join(map(text, texts))))
    answer = opened.recv(CONNACK_BYTES, socket.MSG_WAITALL)
    if answer != b"\x20\x02\x00\x00":
        raise RuntimeError(f"{login.client_id} is not let in: {answer.hex()}")
    return opened


class Window:
    """One connection that keeps so many QoS 1 messages in flight."""

    def __init__(self, opened: socket.socket, login: Login, payload: bytes, window: int) -> None:
        frames = [publish(login.topic, payload, 1 + i) for i in range(window)]
        self.opened = opened
        self.acknowledged = 0
        self._size, self._window = len(frames[0]), window
        self._frames = memoryview(b"".join(frames * 2))
        self._next = 0
        self._rest = 0
        self.send(window)

    def send(self, count: int) -> None:
        """The next so many messages."""
        start = self._next * self._size
        self.opened.sendall(self._frames[start : start + count * self._size])
        self._next = (self._next + count) % self._window

    def receive(self) -> int:
        """How many answers came, for each of which a message was sent."""
        data = self.opened.recv(1 << 16)
        if not data:
            raise RuntimeError("the server closed a connection")
        count, self._rest = divmod(self._rest + len(data), PUBACK_BYTES)
        self.acknowledged += count
        return count


def acknowledged(
    port: int, logins: Sequence[Login], payload: bytes, window: int, seconds: float
) -> Sent:
    """Publish at QoS 1 for a while, `window` messages in flight on each connection."""
    opened = [connect(port, login) for login in logins]
    poll = select.epoll()
    began, cpu = time.perf_counter(), time.process_time()
    windows = {}
    for one, login in zip(opened, logins, strict=True):
        windows[one.fileno()] = Window(one, login, payload, window)
        poll.register(one.fileno(), select.EPOLLIN)
    end = began + seconds
    while time.perf_counter() < end:
        for fd, _ in poll.poll(1.0):
            mine = windows[fd]
            count = mine.receive()
            if count:
                mine.send(count)
    ended, spent = time.perf_counter(), time.process_time() - cpu
    for one in opened:
        one.close()
    return Sent(sum(one.acknowledged for one in windows.values()), began, ended, spent)


def thrown(port: int, logins: Sequence[Login], payload: bytes, messages: int) -> Sent:
    """Publish so many at QoS 0, as fast as the server reads them."""
    opened = [connect(port, login) for login in logins]
    chunks = [publish(login.topic, payload, 0) * _QOS0_FRAMES for login in logins]
    rounds = max(1, messages // _QOS0_FRAMES // len(opened))
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for one, chunk in zip(opened, chunks, strict=True):
            one.sendall(chunk)
    for one in opened:  # an answer says that all before it was read
        one.sendall(b"\xc0\x00")
    for one in opened:
        one.recv(2, socket.MSG_WAITALL)
    ended, spent = time.perf_counter(), time.process_time() - cpu
    for one in opened:
        one.close()
    return Sent(rounds * len(opened) * _QOS0_FRAMES, began, ended, spent)


def paced(port: int, logins: Sequence[Login], payload: bytes, seconds: float, pid: int) -> Sent:
    """Publish once a second on each connection, evenly over the second, at QoS 1.

    The CPU time is that of the server's process `pid`, without what the connecting took.
    """
    raise_descriptors()
    opened = [connect(port, login) for login in logins]
    frames = [publish(login.topic, payload, 1) for login in logins]
    for one, frame in zip(opened, frames, strict=True):  # the first message costs more
        one.sendall(frame)
        one.recv(PUBACK_BYTES, socket.MSG_WAITALL)
    server = Server(pid, port)
    began, cpu, sent, received = time.perf_counter(), server.cpu_seconds(), 0, 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * len(opened))
        for i in range(sent, due):
            opened[i % len(opened)].sendall(frames[i % len(opened)])
        for i in range(received, max(received, sent - len(opened) // 2)):
            opened[i % len(opened)].recv(PUBACK_BYTES, socket.MSG_WAITALL)
            received = i + 1
        sent = due
        time.sleep(0.001)
    ended, spent = time.perf_counter(), server.cpu_seconds() - cpu
    for one in opened:
        one.close()
    return Sent(sent, began, ended, spent)


def raise_descriptors() -> None:
    """Let this process, and those it starts, have as many open files as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def apart(work: Callable[..., Sent], *given: Any) -> Sent:
    """What `work` comes to in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)
