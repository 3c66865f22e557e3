"""The credentials of the catalog, on every database."""

import pytest

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.user import Token


def test_a_token_is_found_by_its_digest(catalog, user, device, digest):
    mine, its = digest(), digest()
    made = catalog.tokens.create(Token(99, mine, user_id=user.id, name="laptop", created_time=5))
    assert made == Token(made.id, mine, user.id, None, "laptop", 5, None)
    assert catalog.tokens.find(mine) == made
    fitted = catalog.tokens.create(Token(0, its, device_id=device.id, created_time=6))
    assert catalog.tokens.find(its) == fitted
    assert catalog.tokens.find(digest()) is None


def test_every_byte_of_a_digest_counts(catalog, user):
    for digest in (b"a" * 32, b"A" * 32, b"\x00" * 32, b" " * 32, b"\xff" * 32):
        assert catalog.tokens.create(Token(0, digest, user_id=user.id)).digest == digest
    assert catalog.tokens.find(b"a" * 31 + b"A") is None
    assert catalog.tokens.find(b"") is None


def test_the_same_token_twice_is_a_conflict(catalog, user, digest):
    token = Token(0, digest(), user_id=user.id)
    catalog.tokens.create(token)
    with pytest.raises(Conflict, match="token exists already"):
        catalog.tokens.create(token)


def test_a_token_belongs_to_one_user_or_one_device_that_is_there(catalog, user, device, digest):
    with pytest.raises(InvalidInput, match="one user or to one device"):
        catalog.tokens.create(Token(0, digest()))
    with pytest.raises(InvalidInput, match="one user or to one device"):
        catalog.tokens.create(Token(0, digest(), user_id=user.id, device_id=device.id))
    with pytest.raises(InvalidInput, match="user_id: there is no user 77"):
        catalog.tokens.create(Token(0, digest(), user_id=77))
    with pytest.raises(InvalidInput, match="device_id: there is no device 7000000"):
        catalog.tokens.create(Token(0, digest(), device_id=7_000_000))
    with pytest.raises(InvalidInput, match="32 bytes, not 5 bytes"):
        catalog.tokens.create(Token(0, b"plain", user_id=user.id))
    assert list(catalog.tokens.all()) == []


def test_rotating_replaces_every_token_of_the_device_and_no_other(catalog, user, device, digest):
    other = catalog.tokens.create(Token(0, digest(), user_id=user.id))
    old = [catalog.tokens.create(Token(0, digest(), device_id=device.id)) for _ in range(2)]
    new = catalog.tokens.rotate_device(device.id, digest(), 9)
    assert (new.device_id, new.created_time) == (device.id, 9)
    assert list(catalog.tokens.all()) == [other, new]
    assert [catalog.tokens.find(token.digest) for token in old] == [None, None]


def test_a_failed_rotation_leaves_the_old_token(catalog, user, device, digest):
    taken = catalog.tokens.create(Token(0, digest(), user_id=user.id))
    old = catalog.tokens.create(Token(0, digest(), device_id=device.id))
    with pytest.raises(Conflict):
        catalog.tokens.rotate_device(device.id, taken.digest, 9)
    assert catalog.tokens.find(old.digest) == old
    with pytest.raises(NotFound, match="no device 7000000"):
        catalog.tokens.rotate_device(7_000_000, digest(), 9)


def test_the_tokens_of_a_user_come_in_order_of_id(catalog, user, device, digest):
    mine = [catalog.tokens.create(Token(0, digest(), user_id=user.id)) for _ in range(3)]
    catalog.tokens.create(Token(0, digest(), device_id=device.id))
    assert list(catalog.tokens.of_user(user.id)) == mine
    assert list(catalog.tokens.of_user(10**30)) == []


def test_a_revoked_token_is_gone_and_its_id_is_not_used_again(catalog, user, digest):
    token = catalog.tokens.create(Token(0, digest(), user_id=user.id))
    catalog.tokens.revoke(token.id)
    assert catalog.tokens.find(token.digest) is None
    with pytest.raises(NotFound, match=f"no token {token.id}"):
        catalog.tokens.revoke(token.id)
    assert catalog.tokens.create(Token(0, digest(), user_id=user.id)).id > token.id


def test_the_last_use_is_noted_and_does_not_move_back(catalog, user, digest):
    one, two, three = (catalog.tokens.create(Token(0, digest(), user_id=user.id)) for _ in range(3))
    catalog.tokens.touch({two.id: 20, one.id: 10, 7_000_000: 5})
    catalog.tokens.touch({one.id: 11, two.id: 19})
    catalog.tokens.touch({})
    used = {token.id: token.last_used_time for token in catalog.tokens.all()}
    assert used == {one.id: 11, two.id: 20, three.id: None}
