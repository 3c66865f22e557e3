import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.statistics.expect import agrees, frame_of, statistic

from barograph.domain.errors import InvalidInput
from barograph.domain.statistic import (
    DEFAULT,
    DEFAULT_NAMES,
    OF_TEXT,
    REFERENCE,
    Statistic,
    compute,
    of_nothing,
    quantile,
)
from barograph.domain.time import HOUR, SECOND

NUMBERS = st.floats(-1e50, 1e50, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-50 else 0.0)
VALUES = st.lists(NUMBERS | st.integers(-3, 3).map(float), min_size=1, max_size=30)
NAMES = (*REFERENCE, "p0", "p2.5", "p50", "p99.999999", "p100")

COURSE = st.lists(
    st.tuples(st.integers(0, 5_000), NUMBERS), max_size=12, unique_by=lambda r: r[0]
).map(sorted)


def of(name, *courses):
    return compute(Statistic.parse(name), courses)


def course(*values, step=HOUR):
    return [(i * step, float(value)) for i, value in enumerate(values)]


class TestParsing:
    @pytest.mark.parametrize("name", REFERENCE)
    def test_a_name_is_its_own_key(self, name):
        assert (Statistic.parse(name).text, Statistic.parse(name).name) == (name, name)

    @pytest.mark.parametrize(
        ("text", "q"),
        [
            ("p0", 0),
            ("p5", 0.05),
            ("p05", 0.05),
            ("p50", 0.5),
            ("p99.9", 0.999),
            ("p100", 1),
            ("p100.0", 1),
            ("p0.000001", 1e-08),
        ],
    )
    def test_percentiles(self, text, q):
        parsed = Statistic.parse(text)
        assert (parsed.text, parsed.name) == (text, "quantile")
        assert parsed.q == pytest.approx(q, rel=1e-15)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "avg",
            "Count",
            "median ",
            "p",
            "p-1",
            "p101",
            "p100.1",
            "p1e1",
            "p.5",
            "p5.",
            "p9999",
            "quantile",
            "p５",
            "p50\n",
            "p1.1234567",
            "x" * 10000,
        ],
    )
    def test_anything_else_is_refused_in_few_words(self, text):
        with pytest.raises(InvalidInput, match="stats") as caught:
            Statistic.parse(text)
        assert len(str(caught.value)) < 300

    @given(st.text(max_size=20))
    def test_what_is_read_can_be_computed(self, text):
        try:
            parsed = Statistic.parse(text)
        except InvalidInput:
            return
        assert compute(parsed, [[(0, 1.0)]]) is not None or parsed.name in {"stddev", "rate"}

    def test_the_default_is_what_the_interface_promises(self):
        assert [asked.text for asked in DEFAULT] == list(DEFAULT_NAMES)
        assert set(DEFAULT_NAMES) == {"min", "max", "count", "sum", "median"}
        assert set(OF_TEXT) < set(REFERENCE)


class TestAgainstNumpy:
    @given(VALUES)
    def test_of_values(self, values):
        of_values = {
            "count": len(values),
            "sum": float(np.sum(np.array(values, dtype=np.longdouble))),
            "min": np.min(values),
            "max": np.max(values),
            "range": np.ptp(values),
            "mean": float(np.mean(np.array(values, dtype=np.longdouble))),
            "median": np.median(values),
            "p99.9": np.percentile(values, 99.9),
            "distinct": len(np.unique(values)),
        }
        scale = max(map(abs, values))
        for name, expected in of_values.items():
            assert math.isclose(
                of(name, course(*values)), expected, rel_tol=1e-9, abs_tol=1e-14 * scale
            ), name

    @given(VALUES, st.floats(0, 1))
    def test_a_quantile_is_numpys_default(self, values, q):
        ordered = sorted(values)
        expected = float(np.quantile(ordered, q))
        found = quantile(ordered, q)
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-14 * max(map(abs, values)))
        assert ordered[0] <= found <= ordered[-1] or math.isclose(
            found, min(max(found, ordered[0]), ordered[-1]), rel_tol=1e-15
        )

    @given(st.lists(COURSE, min_size=1, max_size=4), st.sampled_from(NAMES))
    def test_of_courses(self, courses, name):
        assume(any(courses))
        readings = [(i, t, value) for i, one in enumerate(courses) for t, value in one]
        frame = frame_of(readings)
        assert agrees(name, of(name, *courses), statistic(name, frame), frame)

    @given(st.lists(NUMBERS, min_size=2, max_size=30))
    def test_the_deviation_does_not_depend_on_the_order_or_the_sign(self, values):
        one = of("stddev", course(*values))
        for other in (values[::-1], [-value for value in values]):
            assert math.isclose(one, of("stddev", course(*other)), rel_tol=1e-12, abs_tol=0)


class TestMeaning:
    def test_a_drop_is_a_counter_reset(self):
        assert of("increase", course(100, 110, 3, 10)) == 10 + 3 + 7
        assert of("rate", course(100, 110, 3, 10, step=SECOND)) == pytest.approx(20 / 3)

    def test_an_integral_is_value_times_hours(self):
        assert of("integral", course(2, 4)) == 3
        assert of("integral", course(2, 4), course(10, 10, 10)) == 23

    def test_a_value_holds_until_the_next(self):
        assert of("time_weighted_mean", [(0, 1.0), (9, 11.0), (10, 500.0)]) == 2

    def test_series_are_weighted_by_how_long_they_were_watched(self):
        assert of("time_weighted_mean", [(0, 1.0), (3, 9.0)], [(0, 5.0), (1, 9.0)]) == 2
        assert of("time_weighted_mean", [(0, 1.0), (3, 9.0)], [(7, 1000.0)]) == 1
        assert of("time_weighted_mean", [(0, 1.0)], [(7, 4.0)]) == 2.5

    def test_of_equally_frequent_values_the_smallest_is_the_mode(self):
        assert of("mode", course(3, 1, 3, 1, 2)) == 1

    def test_at_one_instant_the_order_of_series_decides(self):
        assert of("first", [(5, 1.0)], [(5, 2.0)]) == 1
        assert of("last", [(5, 1.0)], [(5, 2.0)]) == 2
        assert of("last", [(6, 1.0)], [(5, 2.0)]) == 1

    def test_series_without_readings_change_nothing(self):
        for name in NAMES:
            assert of(name, [], course(1, 5, 2), []) == of(name, course(1, 5, 2)), name

    @pytest.mark.parametrize("name", NAMES)
    def test_of_nothing(self, name):
        expected = {"count": 0, "distinct": 0, "sum": 0.0}.get(name)
        assert of(name) == of(name, [], []) == of_nothing(Statistic.parse(name)) == expected

    def test_of_one_reading(self):
        none = {"stddev", "rate"}
        zero = {"range", "increase", "integral"}
        one = {"count", "distinct"}
        for name in NAMES:
            expected = None if name in none else 0 if name in zero else 1 if name in one else 7.5
            assert of(name, [(3, 7.5)]) == expected, name

    def test_small_terms_survive_between_large_ones(self):
        assert of("sum", course(1e16, 1, -1e16)) == 1
        assert of("mean", course(1e100, 3, -1e100)) == 1

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        "values", [[1.7e308] * 3, [-1.7e308, 1.7e308], [1.7e308] * 3 + [-1.7e308] * 3]
    )
    def test_what_no_float_can_hold_is_null(self, name, values):
        found = of(name, course(*values))
        assert found is None or math.isfinite(found)

    def test_counts_are_whole_numbers(self):
        assert type(of("count", course(1, 2))) is int
        assert type(of("distinct", course(1, 2))) is int
