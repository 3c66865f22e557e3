"""How often somebody may do something."""

import pytest

from barograph.domain.errors import TooManyRequests
from barograph.domain.time import SECOND
from barograph.services.rate_limit import MemoryTries, RateLimit, is_this_machine, neighbourhood


@pytest.fixture
def limit(clock):
    return RateLimit(clock, "tries", burst=3, interval_seconds=10, tries=MemoryTries(keys_max=4))


def use_up(limit, key):
    for _ in range(3):
        limit.take(key)


def test_after_a_burst_one_more_try_comes_with_every_interval(limit, clock):
    use_up(limit, "a")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("a")
    assert refused.value.retry_after == 10
    clock.now += 4 * SECOND
    with pytest.raises(TooManyRequests, match="6 seconds"):
        limit.take("a")
    clock.now += 6 * SECOND
    limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_keys_do_not_hinder_each_other(limit):
    use_up(limit, "a")
    limit.take("b")


def test_rest_gives_back_the_burst_and_no_more(limit, clock):
    use_up(limit, "a")
    clock.now += 3600 * SECOND
    use_up(limit, "a")
    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_a_try_given_back_can_be_used_again_but_never_exceeds_the_burst(limit):
    use_up(limit, "a")
    limit.give_back("a")
    limit.take("a")
    for _ in range(9):
        limit.give_back("a")
    use_up(limit, "a")
    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_a_clock_set_back_takes_no_tries_away(limit, clock):
    limit.take("a")
    clock.now -= 3600 * SECOND
    limit.take("a")
    limit.take("a")


def test_memory_is_bounded_and_the_longest_untouched_is_forgotten(limit):
    use_up(limit, "a")
    for key in "bcde":
        limit.take(key)
    assert len(limit._tries) == 4
    limit.take("a")


def test_a_key_with_all_its_tries_takes_no_memory(limit):
    limit.take("a")
    limit.give_back("a")
    assert len(limit._tries) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        (None, "", True),
        ("a socket", "a socket", True),
    ],
)
def test_addresses_count_together_where_one_household_holds_them(one, other, same):
    assert (neighbourhood(one) == neighbourhood(other)) is same


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        (None, False),
    ],
)
def test_this_machine_is_known_by_its_loopback_address(address, local):
    assert is_this_machine(address) is local
