"""The background chores."""

from threading import Event

from tests.waiting import PATIENCE_SECONDS

from barograph.domain.errors import Unavailable
from barograph.services.housekeeping import Chore, Housekeeping


def test_a_chore_with_more_to_do_goes_on_at_once_and_then_rests():
    left, done = [1, 2, 3], Event()

    def work():
        left.pop()
        if not left:
            done.set()
        return bool(left)

    house = Housekeeping([Chore("work", work, 0.01), Chore("never", lambda: 1 / 0, 1000)])
    house.start()
    assert done.wait(PATIENCE_SECONDS)
    house.close()


def test_a_chore_that_fails_is_tried_again_and_hinders_no_other():
    tries, other = [], Event()

    def fails():
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("away")
        if len(tries) == 2:
            raise ZeroDivisionError
        return False

    def works():
        if len(tries) > 2:
            other.set()
        return False

    house = Housekeeping([Chore("fails", fails, 0.01), Chore("works", works, 0.01)])
    house.start()
    assert other.wait(PATIENCE_SECONDS)
    house.close()


def test_closing_before_starting_is_allowed():
    Housekeeping([]).close()
