"""The live bus of one process."""

from barograph.domain.batch import Batch
from barograph.services.live import InProcessLiveBus


def batch(*times):
    return Batch([1] * len(times), list(times), [0.0] * len(times))


def test_listeners_get_batches_with_the_number_of_their_first_reading():
    bus, heard = InProcessLiveBus(100), []
    end = bus.subscribe(lambda sequence, batch: heard.append((sequence, list(batch.times))))
    bus.publish(batch(1, 2))
    bus.publish(batch(3))
    end()
    bus.publish(batch(4))
    assert heard == [(0, [1, 2]), (2, [3])]
    assert bus.sequence == 4


def test_one_can_catch_up_from_a_sequence_number():
    bus = InProcessLiveBus(100)
    bus.publish(batch(1, 2))
    bus.publish(batch(3))
    assert [sequence for sequence, _ in bus.since(1)] == [0, 2]
    assert [sequence for sequence, _ in bus.since(2)] == [2]
    assert bus.since(3) == []


def test_what_is_kept_is_bounded_and_the_last_batch_always_stays():
    bus = InProcessLiveBus(3)
    bus.publish(batch(1, 2))
    bus.publish(batch(3, 4))
    assert [sequence for sequence, _ in bus.since(0)] == [2]
    bus.publish(batch(*range(50)))
    assert [sequence for sequence, _ in bus.since(0)] == [4]


def test_batches_without_readings_are_neither_kept_nor_told():
    bus, heard = InProcessLiveBus(3), []
    bus.subscribe(lambda sequence, batch: heard.append(batch))
    for _ in range(100):
        bus.publish(batch())
    assert bus.since(0) == heard == []
