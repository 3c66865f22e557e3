"""Deadlines by key."""

from hypothesis import given
from hypothesis import strategies as st

from barograph.mqtt.timers import Timers

actions = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 20)) | st.integers(0, 5),
    max_size=60,
)


@given(actions)
def test_keys_come_up_at_their_last_deadline_and_once(steps):
    timers, due, now = Timers(), {}, 0
    for step in steps:
        if isinstance(step, int):
            now += step
            expected = sorted(key for key, when in due.items() if when <= now)
            assert sorted(timers.pop(now)) == expected
            due = {key: when for key, when in due.items() if when > now}
        else:
            key, when = step
            if when is None:
                timers.cancel(key)
                due.pop(key, None)
            else:
                timers.set(key, now + when)
                due[key] = now + when
        assert len(timers) == len(due)
        assert (timers.next() is None) == (not due)
        if due:
            assert timers.next() <= min(due.values())


def test_moving_deadlines_forever_takes_no_memory():
    timers = Timers()
    for i in range(10_000):
        timers.set("later", float(i))
        timers.set("earlier", -float(i))
    assert len(timers._heap) < 200
