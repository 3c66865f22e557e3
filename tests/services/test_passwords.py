"""Which passwords are accepted, and how they are hashed."""

from threading import Event, Thread

import argon2
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.errors import InvalidInput, Overloaded
from barograph.domain.limits import Limits
from barograph.services.passwords import Passwords

GOOD = "nine tall ships"


def test_a_password_verifies_against_its_own_hash_only(cheap_passwords):
    kept = cheap_passwords.hash(GOOD)
    assert cheap_passwords.verify(GOOD, kept)
    assert not cheap_passwords.verify(GOOD + "!", kept)
    assert cheap_passwords.hash(GOOD) != kept


def test_the_default_cost_is_what_the_documentation_says():
    kept = Passwords(Limits()).hash(GOOD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_nothing_verifies_against_no_hash_or_a_broken_one(cheap_passwords):
    assert not cheap_passwords.verify(GOOD, None)
    assert not cheap_passwords.verify(GOOD, "not a hash")


def test_comparing_with_nobodys_hash_costs_what_any_comparison_does(cheap_passwords):
    nobodys = cheap_passwords._nobodys
    assert not cheap_passwords.outdated(nobodys)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # it is computed, and differs
        argon2.PasswordHasher().verify(nobodys, GOOD)


def test_the_same_letter_typed_in_two_ways_is_the_same_password(cheap_passwords):
    kept = cheap_passwords.hash("caf\u00e9 at noon")
    assert cheap_passwords.verify("cafe\u0301 at noon", kept)


def test_any_characters_are_hashed_even_half_a_surrogate_pair(cheap_passwords):
    kept = cheap_passwords.hash("\ud800 \x00 abc")
    assert cheap_passwords.verify("\ud800 \x00 abc", kept)
    assert not cheap_passwords.verify("\ud800 \x00 abd", kept)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 1025,
        "password",
        "PASSWORD",
        "Qwerty123",
        "12345678",
        "zzzzzzzzzz",
        "йцукенгшщз",
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(cheap_passwords, password):
    with pytest.raises(InvalidInput) as refused:
        cheap_passwords.check(password, at="here")
    assert refused.value.problems[0].at == "here"


def test_the_owners_own_name_is_no_password(cheap_passwords):
    with pytest.raises(InvalidInput, match="name"):
        cheap_passwords.check("Evangelista", names=("evangelista", "e@example.org"))


@pytest.mark.parametrize("password", [GOOD, "x" * 1020 + "abcd", "correct horse battery staple"])
def test_other_passwords_are_fine(cheap_passwords, password):
    cheap_passwords.check(password)


def test_the_lengths_follow_the_limits():
    passwords = Passwords(
        Limits(password_chars_min=4, password_chars_max=6), memory_kib=64, passes=1
    )
    passwords.check("a1b9")
    with pytest.raises(InvalidInput, match="4 to 6"):
        passwords.check("a1b")
    assert not passwords.verify("a1b9xyz", passwords.hash("a1b9xyz"))


def test_a_hash_of_other_costs_is_outdated_but_still_verifies(cheap_passwords):
    dearer = Passwords(Limits(), memory_kib=128, passes=1)
    kept = cheap_passwords.hash(GOOD)
    assert dearer.outdated(kept)
    assert dearer.verify(GOOD, kept)
    assert not cheap_passwords.outdated(kept)


def test_beyond_the_bound_hashing_is_refused_at_once_and_works_again_after():
    passwords = Passwords(Limits(), memory_kib=64 * 1024, passes=4, concurrent_max=1, waiting_max=1)
    refused, done = [], []
    start = Event()

    def hash_one():
        start.wait(PATIENCE_SECONDS)
        try:
            done.append(passwords.hash(GOOD))
        except Overloaded as error:
            refused.append(error.retry_after)

    threads = [Thread(target=hash_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    start.set()
    for thread in threads:
        thread.join(60)
    assert done
    assert refused
    assert len(done) + len(refused) == 6
    assert passwords.verify(GOOD, done[0])
