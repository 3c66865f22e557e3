"""Which state lasted from when to when."""

from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.batch import Batch
from barograph.services import timeline as module
from barograph.services.timeline import timeline
from barograph.stores.readings.memory import MemoryReadingStore


def course(rows, start=0, end=100, now=1_000, slots=100):
    store = MemoryReadingStore()
    store.append(Batch.of([(1, time, state) for time, state in rows]))
    return timeline(store, 1, start, end, now, slots)


def spans(found):
    return [(span.start, span.end, span.state) for span in found.spans]


def test_a_state_holds_until_the_next_and_the_last_until_the_end():
    found = course([(10, "open"), (40, "shut"), (50, "shut"), (60, "open")])
    assert spans(found) == [(10, 40, "open"), (40, 60, "shut"), (60, 100, "open")]
    assert found.lasted == {"open": 70, "shut": 20}


def test_the_state_from_before_the_period_is_carried_in():
    found = course([(10, "open"), (40, "shut")], start=20)
    assert spans(found) == [(20, 40, "open"), (40, 100, "shut")]


def test_nobody_knows_the_state_of_the_future():
    assert spans(course([(10, "open")], now=30)) == [(10, 30, "open")]


def test_numbers_among_the_texts_change_nothing():
    assert spans(course([(10, "open"), (20, 3.5)])) == [(10, 100, "open")]


def test_what_changes_faster_than_can_be_drawn_is_one_span():
    rows = [(i, "ab"[i % 2]) for i in range(20, 40)]
    found = course([(0, "a"), *rows], slots=10)
    assert spans(found) == [(0, 21, "a"), (21, 39, None), (39, 100, "b")]
    assert found.lasted == {"a": 30, "b": 70}


def test_a_state_that_is_said_again_and_again_is_no_change():
    rows = [(20, "open"), (21, "shut"), (22, "open"), *((i, "shut") for i in range(23, 90))]
    found = course([(0, "shut"), *rows], slots=10)
    assert spans(found) == [(0, 20, "shut"), (20, 23, None), (23, 100, "shut")]


def test_of_too_many_changes_the_rest_is_left_blank(monkeypatch):
    monkeypatch.setattr(module, "READINGS_MAX", 3)
    found = course([(i * 10, str(i)) for i in range(8)])
    assert found.cut
    assert spans(found) == [(0, 10, "0"), (10, 20, "1"), (20, 30, "2")]


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("abc")), max_size=200))
def test_spans_are_in_order_without_overlap_and_bounded(rows):
    found = course(rows, start=100, end=900, slots=20)
    edges = [time for span in found.spans for time in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(100 <= edge <= 900 for edge in edges)
    assert len(found.spans) <= 2 * 20 + 2
    assert sum(found.lasted.values()) == sum(span.end - span.start for span in found.spans)
