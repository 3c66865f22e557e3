"""The users of the catalog, on every database."""

import dataclasses

import pytest

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.user import Token, User


def test_a_created_user_is_found_by_id_name_and_address(catalog):
    user = catalog.users.create("Ann", "Ann@Example.org", "hash", "admin", 1_700_000_000_000_000)
    assert user == User(user.id, "Ann", "Ann@Example.org", "admin", 1_700_000_000_000_000, "hash")
    assert catalog.users.get(user.id) == user
    assert catalog.users.find("aNN") == user
    assert catalog.users.find("ann@EXAMPLE.org") == user


def test_who_is_not_there_is_none(catalog):
    assert catalog.users.get(1) is None
    assert catalog.users.get(10**30) is None
    assert catalog.users.get(-1) is None
    assert catalog.users.find("nobody") is None
    assert catalog.users.find("nobody\x00\ud800") is None


@pytest.mark.parametrize(
    ("first", "second"),
    [("bob", "BOB"), ("Straße", "STRASSE"), ("Жанна", "жАННА"), ("Zoe\u0308", "zo\u00eb")],
)
def test_a_username_is_unique_without_case_and_the_conflict_names_it(catalog, first, second):
    catalog.users.create(first, None, None, "member", 1)
    with pytest.raises(Conflict, match=f"username '{second}' is taken"):
        catalog.users.create(second, None, None, "member", 1)
    assert catalog.users.list(limit=10).total == 1


@pytest.mark.parametrize(("first", "second"), [("e", "é"), ("a", "a "), ("a", "ä"), ("s", "ſt")])
def test_usernames_that_differ_in_more_than_case_are_different(catalog, first, second):
    catalog.users.create(first, None, None, "member", 1)
    catalog.users.create(second, None, None, "member", 1)
    assert catalog.users.find(first).username == first
    assert catalog.users.find(second).username == second


def test_an_address_is_unique_without_case_and_the_conflict_names_it(catalog):
    catalog.users.create("ann", "a@b.org", None, "member", 1)
    with pytest.raises(Conflict, match=r"e-mail address 'A@B\.org' is taken"):
        catalog.users.create("bob", "A@B.org", None, "member", 1)


def test_many_users_may_have_no_address(catalog):
    catalog.users.create("ann", None, None, "member", 1)
    catalog.users.create("bob", None, None, "member", 1)
    assert catalog.users.list(limit=10).total == 2


def test_a_username_goes_before_the_same_address(catalog):
    catalog.users.create("ann", "x@example.org", None, "member", 1)
    named = catalog.users.create("X@example.org", None, None, "member", 1)
    assert catalog.users.find("x@EXAMPLE.org") == named


def test_users_are_listed_in_pages_in_order_of_id_with_the_total(catalog):
    made = [catalog.users.create(f"u{i}", None, None, "member", i) for i in range(5)]
    page = catalog.users.list(limit=2, offset=1)
    assert (list(page.items), page.total) == (made[1:3], 5)
    beyond = catalog.users.list(limit=2, offset=10**30)
    assert (list(beyond.items), beyond.total) == ([], 5)


def test_search_looks_into_names_and_addresses_literally(catalog):
    for name, address in (("Per_cent%", None), ("percent", "A_B@x.org"), ("back\\slash", None)):
        catalog.users.create(name, address, None, "member", 1)

    def found(search):
        return [user.username for user in catalog.users.list(search=search, limit=10).items]

    assert found("R_C") == ["Per_cent%"]
    assert found("%") == ["Per_cent%"]
    assert found("a_b@") == ["percent"]
    assert found("K\\S") == ["back\\slash"]
    assert found("/") == []
    assert found("\x00") == []
    assert found("x" * 100_000) == []


def test_the_named_fields_are_changed_and_no_others(catalog, user):
    changed = catalog.users.update(user.id, {"username": "Anna", "role": "viewer"})
    assert changed == User(user.id, "Anna", user.email, "viewer", user.created_time, "hash")
    assert catalog.users.find("anna") == changed
    assert catalog.users.find("ann") is None
    assert catalog.users.update(user.id, {"email": None}).email is None
    assert catalog.users.find("ann@example.org") is None
    assert catalog.users.update(user.id, {}) == catalog.users.get(user.id)


def test_a_user_may_change_the_case_of_its_own_name(catalog, user):
    assert catalog.users.update(user.id, {"username": "ANN"}).username == "ANN"


def test_changing_to_a_taken_name_is_a_conflict_and_changes_nothing(catalog, user):
    catalog.users.create("bob", None, None, "member", 1)
    with pytest.raises(Conflict, match="'Bob' is taken"):
        catalog.users.update(user.id, {"username": "Bob", "role": "admin"})
    assert catalog.users.get(user.id) == user


def test_changing_or_removing_who_is_not_there_says_so(catalog):
    with pytest.raises(NotFound, match="no user 77"):
        catalog.users.update(77, {"role": "admin"})
    with pytest.raises(NotFound, match="no user 77"):
        catalog.users.update(77, {})
    with pytest.raises(NotFound, match="no user 77"):
        catalog.users.delete(77)


def test_the_id_of_a_user_cannot_be_changed(catalog, user):
    with pytest.raises(InvalidInput, match="id: cannot be changed"):
        catalog.users.update(user.id, {"id": 9})


@pytest.mark.parametrize("username", ["x" * 255, "nul\x00", "half\ud800"])
def test_a_name_that_some_database_could_not_keep_is_refused_by_all(catalog, username):
    with pytest.raises(InvalidInput, match="username"):
        catalog.users.create(username, None, None, "member", 1)
    assert catalog.users.list(limit=1).total == 0


@pytest.mark.parametrize("character", ["x", "ж", "\U0001f600", "ΐ", "ß", "ﬃ"])
def test_the_longest_name_fits_whatever_its_characters(catalog, character):
    user = catalog.users.create(character * 254, character * 254, None, "member", 1)
    assert catalog.users.find(character * 254) == user


def test_removing_a_user_removes_its_tokens_sessions_and_jobs(catalog, user, digest):
    token = catalog.tokens.create(Token(0, digest(), user_id=user.id))
    session = digest()
    catalog.sessions.create(user.id, session, 100, 1)
    job = catalog.jobs.create("summary", {}, user.id, 1)
    catalog.users.delete(user.id)
    assert catalog.users.get(user.id) is None
    assert catalog.tokens.find(token.digest) is None
    assert catalog.jobs.get(job.id) is None
    assert catalog.sessions.rotate(session, digest(), 100, 2) is None


def test_a_user_with_devices_cannot_be_removed(catalog, user, device):
    with pytest.raises(Conflict, match=r"'ann' still owns 1 device"):
        catalog.users.delete(user.id)
    assert catalog.users.get(user.id) == user
    catalog.devices.update(device.id, {"user_id": None})
    catalog.users.delete(user.id)
    assert catalog.users.get(user.id) is None


def test_the_id_of_a_removed_user_is_not_given_again(catalog, user):
    catalog.users.delete(user.id)
    assert catalog.users.create("ann", None, None, "member", 1).id > user.id


def test_any_admin_tells_whether_there_is_one(catalog, user):
    assert not catalog.users.any_admin()
    catalog.users.update(user.id, {"role": "admin"})
    assert catalog.users.any_admin()


def test_a_user_and_its_first_token_are_made_together_or_not_at_all(catalog):
    first = Token(0, bytes(32), name="first token", created_time=1)
    ann = catalog.users.create("ann", None, None, "member", 1, first)
    (kept,) = catalog.tokens.of_user(ann.id)
    assert kept == dataclasses.replace(first, id=kept.id, user_id=ann.id)
    with pytest.raises(Conflict):
        catalog.users.create("bob", None, None, "member", 1, first)
    assert catalog.users.find("bob") is None
