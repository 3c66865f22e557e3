"""The sign-ins of the catalog, on every database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, func, select

from barograph.domain.errors import Conflict, InvalidInput
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.schema import replaced_digests, sessions


def test_a_current_digest_is_replaced_by_the_new_one(catalog, user, digest):
    first, second, third = digest(), digest(), digest()
    catalog.sessions.create(user.id, first, expires=100, time=1)
    assert catalog.sessions.rotate(first, second, expires=200, time=50) == user.id
    assert catalog.sessions.rotate(second, third, expires=300, time=150) == user.id


def test_a_digest_that_was_replaced_ends_the_whole_session(catalog, user, digest):
    first, second, third, other = digest(), digest(), digest(), digest()
    catalog.sessions.create(user.id, first, expires=100, time=1)
    catalog.sessions.create(user.id, other, expires=100, time=1)
    catalog.sessions.rotate(first, second, expires=100, time=2)
    catalog.sessions.rotate(second, third, expires=100, time=3)
    assert catalog.sessions.rotate(first, digest(), expires=100, time=4) is None
    assert catalog.sessions.rotate(third, digest(), expires=100, time=5) is None
    assert catalog.sessions.rotate(other, digest(), expires=100, time=6) == user.id


def test_an_expired_or_unknown_digest_is_none(catalog, user, digest):
    first = digest()
    catalog.sessions.create(user.id, first, expires=100, time=1)
    assert catalog.sessions.rotate(first, digest(), expires=200, time=100) is None
    assert catalog.sessions.rotate(digest(), digest(), expires=200, time=1) is None


def test_signing_out_ends_one_session(catalog, user, digest):
    first, second = digest(), digest()
    catalog.sessions.create(user.id, first, expires=100, time=1)
    catalog.sessions.create(user.id, second, expires=100, time=1)
    catalog.sessions.end(first)
    catalog.sessions.end(digest())
    assert catalog.sessions.rotate(first, digest(), expires=100, time=2) is None
    assert catalog.sessions.rotate(second, digest(), expires=100, time=2) == user.id


def test_signing_out_with_a_replaced_digest_ends_its_session(catalog, user, digest):
    first, second = digest(), digest()
    catalog.sessions.create(user.id, first, expires=100, time=1)
    catalog.sessions.rotate(first, second, expires=100, time=2)
    catalog.sessions.end(first)
    assert catalog.sessions.rotate(second, digest(), expires=100, time=3) is None


def test_every_session_of_one_user_is_ended_at_once(catalog, user, digest):
    bob = catalog.users.create("bob", None, None, "member", 1)
    mine, also_mine, bobs = digest(), digest(), digest()
    catalog.sessions.create(user.id, mine, expires=100, time=1)
    catalog.sessions.create(user.id, also_mine, expires=100, time=1)
    catalog.sessions.create(bob.id, bobs, expires=100, time=1)
    catalog.sessions.end_all(user.id)
    catalog.sessions.end_all(7_000_000)
    assert catalog.sessions.rotate(mine, digest(), expires=100, time=2) is None
    assert catalog.sessions.rotate(also_mine, digest(), expires=100, time=2) is None
    assert catalog.sessions.rotate(bobs, digest(), expires=100, time=2) == bob.id


def test_of_two_who_use_one_digest_at_once_one_is_a_thief(catalog, user, digest):
    for _ in range(5):
        first, news = digest(), [digest() for _ in range(4)]
        catalog.sessions.create(user.id, first, expires=100, time=1)
        with ThreadPoolExecutor(4) as threads:
            answers = list(
                threads.map(
                    lambda new, first=first: catalog.sessions.rotate(first, new, 100, 2), news
                )
            )
        assert sorted(answers, key=str) == sorted([user.id, None, None, None], key=str)
        assert [catalog.sessions.rotate(new, digest(), 100, 3) for new in news] == [None] * 4


def test_a_session_needs_a_user_and_a_new_digest(catalog, user, digest):
    first = digest()
    with pytest.raises(InvalidInput, match="there is no user 77"):
        catalog.sessions.create(77, first, expires=100, time=1)
    catalog.sessions.create(user.id, first, expires=100, time=1)
    with pytest.raises(Conflict, match="refresh token exists already"):
        catalog.sessions.create(user.id, first, expires=100, time=1)
    with pytest.raises(InvalidInput, match="32 bytes"):
        catalog.sessions.rotate(first, b"x", expires=100, time=1)


def count_of(catalog_url, table):
    engine = create_engine(read_url(catalog_url))
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(table))
    engine.dispose()
    return count


def test_expired_sessions_do_not_pile_up(catalog, catalog_url, user, digest):
    for time in range(10):
        catalog.sessions.create(user.id, digest(), expires=time + 3, time=time)
    assert count_of(catalog_url, sessions) == 3


def test_the_past_of_a_session_is_kept_until_it_expires_and_no_longer(
    catalog, catalog_url, user, digest
):
    digests = [digest() for _ in range(60)]
    catalog.sessions.create(user.id, digests[0], expires=20, time=0)
    for time in range(1, 60):
        old, new = digests[time - 1 : time + 1]
        assert catalog.sessions.rotate(old, new, expires=time + 20, time=time) == user.id
    # At 59 what expires at 60 … 78 still counts.
    assert count_of(catalog_url, replaced_digests) == 19
    assert catalog.sessions.rotate(digests[40], digest(), expires=100, time=59) is None
    assert count_of(catalog_url, sessions) == count_of(catalog_url, replaced_digests) == 0
