"""Topic names, filters and the two trees, against the plain rule (4.7, 4.8.2)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.mqtt import MqttLimits, PeerError, Reason
from barograph.mqtt.topics import FilterTree, NameTree, check_filter, check_name, matches

LIMITS = MqttLimits()

levels = st.sampled_from(["a", "b", "", "$x", "é"])
names = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.builds(
    lambda parts, tail: "/".join([*parts, *tail]),
    st.lists(levels | st.just("+"), min_size=0, max_size=3),
    st.sampled_from([[], ["#"]]),
).filter(bool)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        # The examples of 4.7.1.2, 4.7.1.3, 4.7.2 and 4.7.3.
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "a/b/c", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/broker", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
        ("/finance", "finance", False),
        ("a//b", "a//b", True),
        ("a/+/b", "a//b", True),
        ("\u00e9", "e\u0301", False),  # nothing is normalised
        ("\ufeffa", "a", False),
    ],
)
def test_filters_match_as_the_standard_says(pattern, name, expected):
    assert matches(pattern, name) is expected
    tree = FilterTree()
    tree.set(pattern, "here")
    assert tree.match(name) == (["here"] if expected else [])
    held = NameTree()
    held.set(name, "here")
    assert list(held.match(pattern)) == (["here"] if expected else [])


@given(st.lists(filters, max_size=12), st.lists(names, max_size=6), st.data())
@settings(max_examples=200)
def test_the_filter_tree_finds_what_the_plain_rule_finds(patterns, topics, data):
    tree = FilterTree()
    kept = set()
    for pattern in patterns:
        tree.set(pattern, pattern)
        kept.add(pattern)
        if kept and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(kept)))
            assert tree.remove(gone) == gone
            kept.remove(gone)
    for name in topics:
        assert sorted(tree.match(name)) == sorted(one for one in kept if matches(one, name))


@given(st.lists(names, max_size=12, unique=True), st.lists(filters, max_size=6), st.data())
@settings(max_examples=200)
def test_the_name_tree_finds_what_the_plain_rule_finds(topics, patterns, data):
    tree = NameTree()
    kept = set(topics)
    for name in topics:
        tree.set(name, name)
    for name in topics:
        if data.draw(st.booleans()):
            tree.remove(name)
            kept.remove(name)
    for pattern in patterns:
        assert sorted(tree.match(pattern)) == sorted(one for one in kept if matches(pattern, one))


def test_removing_leaves_no_empty_branches():
    tree = FilterTree()
    for path in ("a/b/c", "a/b", "a/+/#"):
        tree.set(path, path)
    for path in ("a/b/c", "a/b", "a/+/#"):
        tree.remove(path)
        assert tree.remove(path) is None
    assert tree._root.children == {}


@pytest.mark.parametrize("bad", ["", "a#", "a/#/b", "#/a", "a+", "+a/b", "a/b+", "a/#b", "##"])
def test_filters_against_the_rules_are_refused(bad):
    with pytest.raises(PeerError) as caught:
        check_filter(bad, LIMITS)
    assert caught.value.reason is Reason.TOPIC_FILTER_INVALID


@pytest.mark.parametrize(
    "bad",
    ["$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/#/a", "$share/g/a#"],
)
def test_shared_filters_against_the_rules_are_refused(bad):
    with pytest.raises(PeerError):
        check_filter(bad, LIMITS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/+/#", (None, "a/+/#")),
        ("$share/g/a/#", ("g", "a/#")),
        ("$share/g//a", ("g", "/a")),
        ("$shared/g/a", (None, "$shared/g/a")),
    ],
)
def test_filters_are_told_apart_from_shared_ones(text, expected):
    assert check_filter(text, LIMITS) == expected


@pytest.mark.parametrize("bad", ["", "#", "a/+", "x" * (LIMITS.topic_bytes_max + 1), "/" * 128])
def test_names_against_the_rules_are_refused(bad):
    with pytest.raises(PeerError) as caught:
        check_name(bad, LIMITS)
    assert caught.value.reason is Reason.TOPIC_NAME_INVALID


@pytest.mark.parametrize("good", ["a", "/", " ", "a/b c/é", "$SYS/x", "/" * 127])
def test_names_that_follow_the_rules_are_taken(good):
    check_name(good, LIMITS)
