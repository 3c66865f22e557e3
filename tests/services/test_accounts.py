"""Users: registration, sign-in, credentials, and the rules about changing and removing them."""

import pytest

from barograph.domain.batch import Batch
from barograph.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from barograph.domain.limits import Limits
from barograph.domain.time import DAY, MINUTE, SECOND
from barograph.domain.user import OPERATOR, Principal
from barograph.services.accounts import Accounts
from barograph.services.api_tokens import USER_TOKENS_MAX
from barograph.services.browser_sessions import USER_SESSIONS_MAX
from barograph.services.passwords import Passwords
from barograph.services.registry import Registry
from barograph.services.tokens import BROWSER_SESSION, digest_of, new_token

PASSWORD = "nine tall ships"


@pytest.fixture
def accounts(parts):
    return parts.accounts


@pytest.fixture
def ada(accounts):
    return accounts.register("Ada", "ada@example.org", PASSWORD)[0]


def as_user(user):
    return Principal("user", user.id, role=user.role)


def variant(parts, **options):
    return Accounts(
        parts.catalog,
        parts.registry,
        parts.devices,
        options.pop("passwords", parts.passwords),
        parts.access_tokens,
        parts.clock,
        parts.limits,
        **options,
    )


def guess(accounts, name, address):
    with pytest.raises(Unauthenticated):
        accounts.sign_in(name, "wrong", address)


def for_each(numbers, act):
    for number in numbers:
        act(number)


# Registration


def test_a_stranger_becomes_a_member_and_holds_a_working_token(accounts):
    user, token = accounts.register("bob", "bob@example.org", None)
    assert user.role == "member"
    assert accounts.authenticate(token) == as_user(user)


def test_a_password_is_stored_as_argon2id_only(accounts, ada, parts):
    assert ada.password_hash.startswith("$argon2id$")
    assert PASSWORD not in repr(parts.catalog.users.get(ada.id))


@pytest.mark.parametrize(
    ("username", "email"),
    [
        ("ADA", None),
        ("other", "ADA@example.org"),
        ("ada@example.org", None),
    ],
)
def test_neither_a_name_nor_an_address_can_be_taken_twice(accounts, ada, username, email):
    with pytest.raises(Conflict) as refused:
        accounts.register(username, email, None)
    assert "ada" not in str(refused.value).lower().replace("e-mail address", "")


def test_nobody_takes_another_users_name_as_an_address(accounts):
    accounts.register("bob@example.org", None, None)
    with pytest.raises(Conflict):
        accounts.register("eve", "bob@example.org", None)


def test_a_user_may_be_called_by_their_own_address(accounts):
    user, _ = accounts.register("bob@example.org", "bob@example.org", None)
    assert user.username == user.email


@pytest.mark.parametrize(
    ("at", "username", "email", "password"),
    [
        ("username", "", None, None),
        ("username", " ada", None, None),
        ("username", "a" * 65, None, None),
        ("username", "a\x00", None, None),
        ("username", "a\u200bb", None, None),
        ("email", "ada", "", None),
        ("email", "ada", "ada", None),
        ("email", "ada", "a@b", None),
        ("email", "ada", "a@b@example.org", None),
        ("email", "ada", "a b@example.org", None),
        ("email", "ada", "ada@example..org", None),
        ("email", "ada", "ada@-example.org", None),
        ("email", "ada", "a@" + "x" * 260 + ".org", None),
        ("password", "ada", None, "short"),
        ("password", "ada", None, "password123"),
        ("password", "Evangelista", None, "evangelista"),
    ],
)
def test_wrong_input_is_named_and_nobody_is_created(accounts, parts, at, username, email, password):
    with pytest.raises(InvalidInput) as refused:
        accounts.register(username, email, password)
    assert refused.value.problems[0].at == at
    assert parts.catalog.users.list(limit=1).total == 0


@pytest.mark.parametrize("email", ["a@example.org", "a.b+c@mail.example.org", "имя@почта.рф"])
def test_addresses_of_all_countries_are_accepted(accounts, email):
    assert accounts.register("x", email, None)[0].email == email


def test_only_administrators_give_roles(accounts, ada):
    for by in (None, as_user(ada), Principal("device", device_id=1)):
        with pytest.raises(Forbidden):
            accounts.register("eve", None, None, by, role="admin")
    assert accounts.register("root", None, None, OPERATOR, role="admin")[0].role == "admin"


def test_closed_registration_is_open_to_administrators(parts, ada):
    closed = variant(parts, registration="closed")
    for by in (None, as_user(ada)):
        with pytest.raises(Forbidden):
            closed.register("eve", None, None, by)
    assert closed.register("eve", None, None, OPERATOR)[0].username == "eve"


def test_registrations_from_one_address_are_slowed_down(accounts):
    def register(i, address="203.0.113.9"):
        accounts.register(f"{address} {i}", None, None, address=address)

    with pytest.raises(TooManyRequests) as refused:
        for_each(range(200), register)
    assert refused.value.retry_after > 0
    register(0, "203.0.113.10")
    for_each(range(100), lambda i: register(i, "127.0.0.1"))


# Sign-in


@pytest.mark.parametrize("name", ["Ada", "ada", "ada@example.org", "ADA@EXAMPLE.ORG"])
def test_one_signs_in_with_name_or_address_in_any_case(accounts, ada, name):
    signed_in = accounts.sign_in(name, PASSWORD)
    assert signed_in.user.id == ada.id
    assert signed_in.expires_in == 15 * 60
    assert accounts.authenticate(signed_in.access_token) == as_user(ada)


def test_every_failure_to_sign_in_reads_the_same(accounts, ada):
    accounts.register("tokens-only", None, None)
    messages = set()
    for name, password in (
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("tokens-only", PASSWORD),
        ("tokens-only", ""),
        ("", ""),
        ("\x00", "\ud800"),
        ("ada", "x" * 5000),
    ):
        with pytest.raises(Unauthenticated) as refused:
            accounts.sign_in(name, password)
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_guessing_one_users_password_is_slowed_down_from_whatever_address(accounts, ada, clock):
    with pytest.raises(TooManyRequests):
        for_each(range(20), lambda i: guess(accounts, "ada", f"203.0.113.{i}"))
    with pytest.raises(TooManyRequests):
        accounts.sign_in("ada@example.org", PASSWORD, "198.51.100.1")
    clock.now += MINUTE
    accounts.sign_in("ada", PASSWORD, "198.51.100.1")


def test_guessing_many_users_from_one_address_is_slowed_down(accounts, ada):
    with pytest.raises(TooManyRequests):
        for_each(range(200), lambda i: guess(accounts, f"user{i}", "203.0.113.9"))
    accounts.sign_in("ada", PASSWORD, "203.0.113.10")


def test_signing_in_rightly_is_never_slowed_down(accounts, ada):
    for _ in range(100):
        accounts.sign_in("ada", PASSWORD, "203.0.113.9")


def test_a_hash_of_old_costs_is_renewed_at_the_next_sign_in(parts, ada):
    dearer = Passwords(Limits(), memory_kib=128, passes=1)
    signed_in = variant(parts, passwords=dearer).sign_in("ada", PASSWORD)
    assert "m=128" in parts.catalog.users.get(ada.id).password_hash
    assert parts.accounts.authenticate(signed_in.access_token).user_id == ada.id
    assert parts.accounts.sign_in("ada", PASSWORD).user.id == ada.id


def test_a_refresh_token_works_once_and_a_stolen_one_ends_the_session(accounts, ada):
    first = accounts.sign_in("ada", PASSWORD).refresh_token
    second = accounts.refresh(first)
    assert accounts.authenticate(second.access_token) == as_user(ada)
    for token in (first, second.refresh_token):
        with pytest.raises(Unauthenticated):
            accounts.refresh(token)


def test_a_session_ends_by_signing_out_and_by_disuse(accounts, ada, clock):
    gone = accounts.sign_in("ada", PASSWORD).refresh_token
    accounts.sign_out(gone)
    unused = accounts.sign_in("ada", PASSWORD).refresh_token
    clock.now += 30 * DAY
    for token in (gone, unused, "x", new_token()):
        with pytest.raises(Unauthenticated):
            accounts.refresh(token)
    accounts.sign_out("x")
    accounts.sign_out(new_token())


# Recognising


@pytest.mark.parametrize(
    "credential", ["", "x", "a.b.c", "..", "a" * 20, "a" * 19 + "1", "é" * 20, "a" * 10_000]
)
def test_what_nobody_was_given_is_refused(accounts, credential):
    with pytest.raises(Unauthenticated):
        accounts.authenticate(credential)


def test_an_access_token_ends_with_its_user(accounts, ada):
    token = accounts.sign_in("ada", PASSWORD).access_token
    accounts.delete(as_user(ada), ada.id)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)


def test_an_access_token_has_the_role_that_its_user_has_now(accounts, ada):
    token = accounts.sign_in("ada", PASSWORD).access_token
    accounts.update(OPERATOR, ada.id, role="viewer")
    assert accounts.authenticate(token).role == "viewer"


def test_api_tokens_are_made_listed_and_revoked_by_their_owner(accounts, ada):
    bob = as_user(accounts.register("bob", None, None)[0])
    token, text = accounts.tokens.create(as_user(ada), ada.id, "script")
    assert accounts.authenticate(text) == as_user(ada)
    assert [t.name for t in accounts.tokens.list(as_user(ada), ada.id)] == ["first token", "script"]
    for act in (
        lambda: accounts.tokens.list(bob, ada.id),
        lambda: accounts.tokens.create(bob, ada.id, "x"),
        lambda: accounts.tokens.revoke(bob, ada.id, token.id),
        lambda: accounts.tokens.revoke(bob, bob.user_id, token.id),
    ):
        with pytest.raises(NotFound):
            act()
    accounts.tokens.revoke(as_user(ada), ada.id, token.id)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(text)
    with pytest.raises(NotFound):
        accounts.tokens.revoke(as_user(ada), ada.id, token.id)


def test_a_revoked_token_stays_revoked_after_a_restart(accounts, ada, parts):
    token, text = accounts.tokens.create(as_user(ada), ada.id, "script")
    assert Registry(parts.catalog).principal(digest_of(text)) == as_user(ada)
    accounts.tokens.revoke(as_user(ada), ada.id, token.id)
    assert Registry(parts.catalog).principal(digest_of(text)) is None


def test_a_token_that_expires_is_refused_from_then_on(accounts, ada, clock, parts):
    end = clock.now + MINUTE
    _, text = accounts.tokens.create(as_user(ada), ada.id, "guest", expires_time=end)
    clock.now = end - 1
    assert accounts.authenticate(text) == as_user(ada)
    assert Registry(parts.catalog).principal_at(digest_of(text), clock.now) == as_user(ada)
    clock.now = end
    with pytest.raises(Unauthenticated):
        accounts.authenticate(text)
    with pytest.raises(InvalidInput, match="at least a minute"):
        accounts.tokens.create(as_user(ada), ada.id, "late", expires_time=end + 1)


def test_a_token_that_reads_only_is_one_after_a_restart_and_a_change_of_role(accounts, ada, parts):
    _, text = accounts.tokens.create(as_user(ada), ada.id, "wall", reads_only=True)
    assert accounts.authenticate(text).token_reads_only
    accounts.update(OPERATOR, ada.id, role="admin")
    assert accounts.authenticate(text).token_reads_only
    assert Registry(parts.catalog).principal(digest_of(text)).token_reads_only


def test_when_a_token_was_used_last_is_known(accounts, ada, clock):
    _, text = accounts.tokens.create(as_user(ada), ada.id, "script")
    clock.now += 5
    accounts.authenticate(text)
    used = {t.name: t.last_used_time for t in accounts.tokens.list(as_user(ada), ada.id)}
    assert used == {"first token": None, "script": clock.now}


def test_a_users_tokens_are_bounded_and_well_named(accounts, ada):
    for name in ("", "browser session", "x" * 129):
        with pytest.raises(InvalidInput):
            accounts.tokens.create(as_user(ada), ada.id, name)
    with pytest.raises(Conflict):
        for_each(
            range(USER_TOKENS_MAX),
            lambda i: accounts.tokens.create(as_user(ada), ada.id, f"t{i}"),
        )
    assert len(accounts.tokens.list(as_user(ada), ada.id)) == USER_TOKENS_MAX


def test_a_browser_session_is_known_by_its_cookie_until_it_ends(accounts, ada, clock):
    first, second = accounts.browser.open(ada), accounts.browser.open(ada)
    assert accounts.session(first) == as_user(ada)
    accounts.browser.close(first)
    accounts.browser.close(first)
    accounts.browser.close("x")
    clock.now += 14 * DAY - 1
    assert accounts.session(second) == as_user(ada)
    clock.now += 1
    for cookie in (first, second, "", "x" * 20):
        with pytest.raises(Unauthenticated):
            accounts.session(cookie)


def test_a_cookie_is_no_token_and_a_token_no_cookie(accounts, ada):
    _, token = accounts.tokens.create(as_user(ada), ada.id, "script")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(accounts.browser.open(ada))
    with pytest.raises(Unauthenticated):
        accounts.session(token)


def test_browser_sessions_are_bounded_the_oldest_ends(accounts, ada, clock):
    cookies = []
    for _ in range(USER_SESSIONS_MAX + 1):
        clock.now += 1
        cookies.append(accounts.browser.open(ada))
    with pytest.raises(Unauthenticated):
        accounts.session(cookies[0])
    for cookie in cookies[1:]:
        accounts.session(cookie)


class Overtaken(Passwords):
    """While a password is checked, somebody changes it."""

    def __init__(self, limits, change):
        super().__init__(limits, memory_kib=64, passes=1)
        self._change = change

    def verify(self, password, kept):
        right = super().verify(password, kept)
        self._change()
        return right


def test_a_sign_in_under_way_does_not_outlive_a_change_of_the_password(parts, accounts, ada):
    def change():
        accounts.update(OPERATOR, ada.id, password="ten tall ships")

    overtaken = variant(parts, passwords=Overtaken(parts.limits, change))
    with pytest.raises(Unauthenticated):
        overtaken.sign_in("ada", PASSWORD)
    seen = accounts.check_password("ada", "ten tall ships")
    accounts.open_browser(seen)
    change()
    with pytest.raises(Unauthenticated):
        accounts.open_browser(seen)
    assert BROWSER_SESSION not in {
        token.name for token in accounts.tokens.list(as_user(ada), ada.id)
    }
    accounts.delete(OPERATOR, ada.id)
    with pytest.raises(Unauthenticated):
        accounts.open_browser(seen)


# Reading and changing


def test_a_user_reads_only_themselves_an_administrator_anybody(accounts, ada):
    bob = accounts.register("bob", None, None)[0]
    assert accounts.get(as_user(ada), ada.id) == ada == accounts.me(as_user(ada))
    assert accounts.get(OPERATOR, bob.id) == bob
    with pytest.raises(NotFound):
        accounts.get(as_user(ada), bob.id)
    with pytest.raises(NotFound):
        accounts.get(OPERATOR, 999)
    with pytest.raises(NotFound):
        accounts.me(OPERATOR)
    for asker in (as_user(ada), Principal("device", device_id=1)):
        with pytest.raises(Forbidden):
            accounts.list(asker)
    with pytest.raises(Forbidden):
        accounts.me(Principal("device", device_id=1))
    page = accounts.list(OPERATOR, search="BO")
    assert (list(page.items), page.total) == ([bob], 1)


def test_one_changes_ones_own_name_and_address_within_the_rules(accounts, ada):
    accounts.register("bob", "bob@example.org", None)
    changed = accounts.update(as_user(ada), ada.id, username="Countess", email=None)
    assert (changed.username, changed.email) == ("Countess", None)
    assert accounts.sign_in("countess", PASSWORD).user.id == ada.id
    for wrong, error in (
        ({"username": "Bob"}, Conflict),
        ({"username": "bob@example.org"}, Conflict),
        ({"email": "bob@example.org"}, Conflict),
        ({"username": " "}, InvalidInput),
        ({"email": "x"}, InvalidInput),
        ({"role": "admin"}, Forbidden),
        ({"password": "password"}, InvalidInput),
    ):
        with pytest.raises(error):
            accounts.update(as_user(ada), ada.id, old_password=PASSWORD, **wrong)
    assert accounts.update(as_user(ada), ada.id) == changed


def test_a_new_password_needs_the_old_one_and_ends_every_session(accounts, ada):
    before = accounts.sign_in("ada", PASSWORD)
    cookie = accounts.browser.open(ada)
    _, token = accounts.tokens.create(as_user(ada), ada.id, "script")
    for old in (None, "wrong"):
        with pytest.raises(InvalidInput) as refused:
            accounts.update(as_user(ada), ada.id, password="ten tall ships", old_password=old)
        assert refused.value.problems[0].at == "old_password"
    accounts.update(as_user(ada), ada.id, password="ten tall ships", old_password=PASSWORD)
    for act in (
        lambda: accounts.sign_in("ada", PASSWORD),
        lambda: accounts.refresh(before.refresh_token),
        lambda: accounts.authenticate(before.access_token),
        lambda: accounts.session(cookie),
    ):
        with pytest.raises(Unauthenticated):
            act()
    accounts.sign_in("ada", "ten tall ships")
    assert accounts.authenticate(token) == as_user(ada)


def test_an_administrator_sets_a_password_and_so_does_who_has_none_yet(accounts, ada):
    accounts.update(OPERATOR, ada.id, password="ten tall ships")
    accounts.sign_in("ada", "ten tall ships")
    bob = accounts.register("bob", None, None)[0]
    accounts.update(as_user(bob), bob.id, password="ten tall ships")
    accounts.sign_in("bob", "ten tall ships")


def test_the_last_administrator_can_neither_go_nor_step_down(accounts):
    root = accounts.register("root", None, None, OPERATOR, role="admin")[0]
    for act in (
        lambda: accounts.update(OPERATOR, root.id, role="member"),
        lambda: accounts.delete(as_user(root), root.id),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            act()
    other = accounts.register("other", None, None, as_user(root), role="admin")[0]
    accounts.update(as_user(root), root.id, role="member")
    with pytest.raises(Conflict, match="last administrator"):
        accounts.delete(OPERATOR, other.id)
    accounts.delete(OPERATOR, root.id)
    with pytest.raises(InvalidInput):
        accounts.update(OPERATOR, other.id, role="king")


def test_a_user_with_devices_goes_only_with_or_without_them_as_told(accounts, ada, parts):
    bob = accounts.register("bob", None, None)[0]
    device, token = parts.devices.create(as_user(ada), "a")
    series = parts.registry.ensure_series(device.id, ["x"])["x"]
    parts.store.append(Batch.of([(series, SECOND, 1.0)]))
    with pytest.raises(Conflict, match="still has devices"):
        accounts.delete(as_user(ada), ada.id)
    with pytest.raises(Forbidden):
        accounts.delete(as_user(ada), ada.id, devices_to=bob.id)
    for wrong, error in ((ada.id, InvalidInput), (999, NotFound)):
        with pytest.raises(error):
            accounts.delete(OPERATOR, ada.id, devices_to=wrong)
    accounts.delete(OPERATOR, ada.id, devices_to=bob.id)
    assert parts.registry.device(device.id).user_id == bob.id
    assert accounts.authenticate(token).device_id == device.id
    accounts.delete(as_user(bob), bob.id, delete_devices=True)
    assert parts.registry.devices() == []
    assert list(parts.store.scan([series])) == []
    assert parts.catalog.users.list(limit=1).total == 0


def test_another_user_cannot_be_removed_or_changed(accounts, ada):
    bob = as_user(accounts.register("bob", None, None)[0])
    with pytest.raises(NotFound):
        accounts.delete(bob, ada.id)
    with pytest.raises(NotFound):
        accounts.update(bob, ada.id, username="x")


# The first administrator


def test_the_set_up_link_makes_one_administrator_once(accounts):
    token = accounts.setup_link_token()
    for wrong in (new_token(), "x", ""):
        with pytest.raises(Forbidden):
            accounts.claim_setup(wrong, "root", PASSWORD)
    with pytest.raises(InvalidInput):
        accounts.claim_setup(token, "root", "password")
    assert accounts.claim_setup(token, "root", PASSWORD).role == "admin"
    assert accounts.sign_in("root", PASSWORD).user.role == "admin"
    with pytest.raises(Forbidden):
        accounts.claim_setup(token, "eve", PASSWORD)
    assert accounts.setup_link_token() is None


def test_a_newer_set_up_link_replaces_the_older(accounts):
    old = accounts.setup_link_token()
    accounts.setup_link_token()
    with pytest.raises(Forbidden):
        accounts.claim_setup(old, "root", PASSWORD)


def test_a_set_up_link_is_void_once_there_is_an_administrator(accounts):
    token = accounts.setup_link_token()
    accounts.register("root", None, None, OPERATOR, role="admin")
    with pytest.raises(Forbidden):
        accounts.claim_setup(token, "eve", PASSWORD)
