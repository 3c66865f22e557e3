"""What is refused stays refused, and what is known stays found, whatever changes at the same moment."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Thread

import pytest

from barograph.domain.user import OPERATOR, Token, User
from barograph.services.credentials import Credentials
from barograph.services.tokens import digest_of


@pytest.fixture
def hasty_threads():
    """Threads that interrupt each other at every chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def tokens_of(user, count):
    return [Token(n, bytes([n]) * 32, user_id=user.id) for n in range(count)]


@pytest.mark.usefixtures("hasty_threads")
def test_a_token_that_is_revoked_while_its_user_changes_stays_revoked():
    credentials, user, done = Credentials(), User(1, "ann"), Event()
    credentials.put_user(user)
    tokens = tokens_of(user, 100)

    def change():
        while not done.is_set():
            for role in ("viewer", "member"):
                credentials.put_user(replace(user, role=role))

    with ThreadPoolExecutor(1) as threads:
        changing = threads.submit(change)
        try:
            for _ in range(20):
                for token in tokens:
                    credentials.put_token(token)
                for token in tokens:
                    credentials.drop_token(token.digest)
                assert [t for t in tokens if credentials.principal(t.digest) is not None] == []
        finally:
            done.set()
        changing.result()


@pytest.mark.usefixtures("hasty_threads")
def test_a_token_that_is_made_while_its_user_is_removed_lets_nobody_in():
    credentials, user = Credentials(), User(1, "ann")
    [token] = tokens_of(user, 1)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(500):
            credentials.put_user(user)
            both = [
                threads.submit(credentials.put_token, token),
                threads.submit(credentials.drop_user, user.id),
            ]
            for one in both:
                one.result()
            assert credentials.principal(token.digest) is None


@pytest.mark.usefixtures("hasty_threads")
def test_a_token_with_an_end_may_be_looked_up_while_it_is_revoked():
    credentials, user, done = Credentials(), User(1, "ann"), Event()
    credentials.put_user(user)
    token = Token(1, b"t" * 32, user_id=user.id, expires_time=5)

    def look():
        while not done.is_set():
            credentials.principal_at(token.digest, 1)
            credentials.take_used()

    with ThreadPoolExecutor(1) as threads:
        looking = threads.submit(look)
        for _ in range(2_000):
            credentials.put_token(token)
            credentials.drop_token(token.digest)
        done.set()
        looking.result()


def test_a_device_is_found_at_every_moment_of_its_change(parts):
    device = parts.devices.create(OPERATOR, "kitchen")[0]
    registry = parts.registry
    missing = []

    def look(frame, _event, _argument):
        if registry.device(device.id) is None or registry.device_with_key(device.key) is None:
            missing.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        registry.put_device(replace(device, name="larder"))
    finally:
        sys.settrace(before)
    assert missing == []
    assert registry.device(device.key).name == "larder"


def test_a_key_that_was_given_up_finds_nothing(parts):
    device = parts.devices.create(OPERATOR, "kitchen", key="stove")[0]
    parts.devices.update(OPERATOR, device, key="oven")
    other = parts.devices.create(OPERATOR, "cellar", key="stove")[0]
    parts.registry.put_device(replace(device, key="oven"))
    assert parts.registry.device("oven").id == device.id
    assert parts.registry.device("stove").id == other.id


class Overtaken:
    """A part of the catalog after one call of which something else happens at once."""

    def __init__(self, part, call, then):
        self._part = part
        self._call = call
        self._then = then

    def __getattr__(self, name):
        own = getattr(self._part, name)
        if name != self._call:
            return own

        def overtaken(*given, **named):
            answer = own(*given, **named)
            then, self._then = self._then, None
            if then is not None:
                overtaking = Thread(target=then)
                overtaking.start()
                overtaking.join(0.3)  # ends before, or waits for who was overtaken
                self.overtaking = overtaking
            return answer

        return overtaken


def test_a_device_that_is_removed_while_it_is_changed_is_gone(parts, monkeypatch):
    device, token = parts.devices.create(OPERATOR, "kitchen")
    removal = Overtaken(
        parts.catalog.devices, "update", lambda: parts.devices.delete(OPERATOR, device)
    )
    monkeypatch.setattr(parts.catalog, "devices", removal)
    parts.devices.update(OPERATOR, device, name="larder")
    removal.overtaking.join()
    assert parts.catalog.devices.get(device.id) is None
    assert parts.registry.device(device.id) is None
    assert parts.registry.principal(digest_of(token)) is None


def test_of_two_new_tokens_of_a_device_the_one_that_is_kept_lets_in(parts, monkeypatch):
    device = parts.devices.create(OPERATOR, "kitchen")[0]
    second = []
    rotation = Overtaken(
        parts.catalog.tokens,
        "rotate_device",
        lambda: second.append(parts.devices.rotate_token(OPERATOR, device)),
    )
    monkeypatch.setattr(parts.catalog, "tokens", rotation)
    first = parts.devices.rotate_token(OPERATOR, device)
    rotation.overtaking.join()
    for text in (first, *second):
        kept = parts.catalog.tokens.find(digest_of(text)) is not None
        assert (parts.registry.principal(digest_of(text)) is not None) == kept


def test_who_is_let_in_and_shut_out_at_the_same_moment_is_out(parts, monkeypatch):
    ann = parts.accounts.register("ann", None, "a long password")[0]
    device = parts.devices.create(OPERATOR, "kitchen")[0]
    end = Overtaken(
        parts.catalog.device_shares, "put", lambda: parts.sharing.end(OPERATOR, device, ann.id)
    )
    monkeypatch.setattr(parts.catalog, "device_shares", end)
    parts.sharing.share(OPERATOR, device, "ann", writes=True)
    end.overtaking.join()
    assert parts.catalog.device_shares.of_subject(device.id) == []
    assert parts.registry.device(device.id).shared == {}
