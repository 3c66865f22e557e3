from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits
from barograph.domain.period import Period
from barograph.domain.time import DAY, HOUR, from_text
from barograph.services.metric_patterns import choose, matches
from barograph.services.questions import Question

NOW = from_text("2026-03-01T12:00:00Z")


def parse(zone=UTC, **parameters):
    return Question.parse(parameters, now=NOW, zone=zone, limits=Limits())


def problems(**parameters):
    with pytest.raises(InvalidInput) as caught:
        parse(**parameters)
    return {problem.at: problem.message for problem in caught.value.problems}


def test_without_parameters_everything_is_asked_for():
    question = parse()
    assert question.period == Period()
    assert question.metrics == ()
    assert [s.text for s in question.statistics] == ["min", "max", "count", "sum", "median"]
    assert (question.interval, question.fill, question.aggregate) == (None, "none", True)


def test_empty_parameters_mean_what_absent_ones_mean():
    assert parse(start_time="", end_time="", metrics="", stats="", interval="", tz="") == parse()


def test_times_are_rfc3339_epoch_or_relative():
    assert parse(start_time="2026-01-01T00:00:00Z").period.start == from_text("2026-01-01")
    assert parse(start_time="1767225600").period.start == from_text("2026-01-01")
    assert parse(start_time=1767225600).period.start == from_text("2026-01-01")
    assert parse(start_time="-24h", end_time="now").period == Period(NOW - DAY, NOW)


def test_a_time_without_offset_is_in_the_asked_zone_or_the_installations():
    midnight = from_text("2026-01-01T00:00:00Z")
    berlin = ZoneInfo("Europe/Berlin")
    assert parse(start_time="2026-01-01T00:00:00", tz="Asia/Tokyo").period.start == (
        midnight - 9 * HOUR
    )
    assert parse(berlin, start_time="2026-01-01T00:00:00").period.start == midnight - HOUR


def test_lists_come_with_commas_or_as_json():
    assert parse(metrics=" x, y,,x ").metrics == ("x", "y")
    assert parse(metrics=["a,b", "c"]).metrics == ("a,b", "c")
    texts = [s.text for s in parse(stats="p99.9,p95, count").statistics]
    assert texts == ["p99.9", "p95", "count"]


@pytest.mark.parametrize(
    ("text", "fill"), [("null", "null"), ("previous", "previous"), ("0", 0.0), (-1.5, -1.5)]
)
def test_fill_is_a_word_or_a_number(text, fill):
    assert parse(fill=text).fill == fill


@pytest.mark.parametrize("truth", [True, "true", "True", "1", 1])
def test_truth_is_written_in_several_ways(truth):
    assert parse(aggregate=truth).aggregate is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_time", "yesterday"),
        ("start_time", "1e400"),
        ("end_time", "-9999y"),
        ("end_time", [1]),
        ("start_time", True),
        ("metrics", "x" * 129),
        ("metrics", {"x": 1}),
        ("stats", "average"),
        ("stats", "p101"),
        ("stats", ",".join(f"p{n}" for n in range(101))),
        ("interval", "5 minutes"),
        ("interval", "0s"),
        ("tz", "Mars/Olympus"),
        ("tz", "../../etc/passwd"),
        ("fill", "nan"),
        ("fill", "last"),
        ("aggregate", "perhaps"),
    ],
)
def test_a_wrong_parameter_is_named(name, value):
    assert problems(**{name: value}).keys() == {name}


def test_all_wrong_parameters_are_named_at_once():
    found = problems(stats="average", interval="soon", tz="Nowhere")
    assert found.keys() == {"stats", "interval", "tz"}


def test_an_end_before_the_start_is_refused():
    assert "end_time" in problems(start_time="2026-01-02", end_time="2026-01-01")


def test_an_empty_period_is_allowed():
    assert parse(start_time="2026-01-01", end_time="2026-01-01").period.end is not None


def test_a_question_survives_being_kept_as_json():
    question = parse(
        start_time="-1h",
        metrics="a,b*",
        stats="p99.9,count",
        interval="1mo",
        tz="Europe/Berlin",
        fill="2.5",
        aggregate="false",
    )
    later = Question.parse(
        question.to_json(), now=NOW + DAY, zone=ZoneInfo("Asia/Tokyo"), limits=Limits()
    )
    assert later == question


@pytest.mark.parametrize(
    ("pattern", "name", "matched"),
    [
        ("*", "anything", True),
        ("room.*", "room.t", True),
        ("room.*", "roomt", False),
        ("*.t", "room.t", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a.c", "abc", False),
        ("[x]", "x", False),
        ("x", "X", False),
    ],
)
def test_a_star_stands_for_any_characters_and_nothing_else_is_special(pattern, name, matched):
    assert matches(pattern, name) is matched


def test_many_stars_take_no_long_time():
    assert not matches("*a" * 64 + "b", "a" * 128)


@given(
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=4),
    st.lists(st.text("ab*", max_size=3)),
)
def test_what_fills_the_stars_matches(pieces, fillings):
    name = "".join(
        piece + filling for piece, filling in zip(pieces, [*fillings, *[""] * 9], strict=False)
    )
    assert matches("*".join(pieces) + "*", name)


def test_names_without_a_star_are_chosen_even_when_unknown():
    assert choose(["z", "a*"], ["a1", "b", "a2"]) == ["z", "a1", "a2"]
    assert choose([], ["b", "a"]) == ["b", "a"]
