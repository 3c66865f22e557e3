"""Dashboards: whose they are, what is on them, who sees them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.domain.errors import BarographError, Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.time import DAY
from barograph.domain.user import OPERATOR, Principal
from barograph.services.dashboards import DASHBOARDS_MAX, LINKS_MAX, QUESTIONS_MAX
from barograph.services.panels import PANELS_MAX


@pytest.fixture
def anna(fleet):
    return fleet.user("anna")


@pytest.fixture
def bert(fleet):
    return fleet.user("bert")


@pytest.fixture
def kitchen(fleet, anna):
    return fleet.device("kitchen", owner=anna)


def line(*devices, **more):
    return {"kind": "line", "question": {"devices": list(devices)}, **more}


def test_a_dashboard_is_its_owners_alone(core, anna, bert, kitchen):
    made = core.dashboards.create(anna, "Home", [line(kitchen.id), {"kind": "text", "text": "Hi"}])
    assert core.dashboards.get(anna, made.id) == made
    assert list(core.dashboards.list(anna)) == [made]
    assert list(core.dashboards.list(bert)) == []
    assert list(core.dashboards.list(OPERATOR)) == [made]
    for act in (
        lambda: core.dashboards.get(bert, made.id),
        lambda: core.dashboards.update(bert, made.id, name="x"),
        lambda: core.dashboards.delete(bert, made.id),
        lambda: core.dashboards.share(bert, made.id, "bert", writes=True),
        lambda: core.dashboards.links(bert, made.id),
    ):
        with pytest.raises(NotFound):
            act()


def test_what_is_left_out_of_a_panel_is_written_in(core, anna, kitchen):
    made = core.dashboards.create(anna, "Home", [line(kitchen.key)])
    assert made.panels == [
        {
            "kind": "line",
            "title": "",
            "width": 6,
            "height": 2,
            "question": {
                "devices": [kitchen.id],
                "metrics": [],
                "stats": ["mean"],
                "start_time": "-24h",
            },
        }
    ]


@pytest.mark.parametrize(
    ("panel", "at"),
    [
        ("x", "panels[0]"),
        ({"kind": "pie"}, "panels[0].kind"),
        ({"kind": "text", "colour": 1}, "panels[0].colour"),
        ({"kind": "text", "width": 5}, "panels[0].width"),
        ({"kind": "text", "height": True}, "panels[0].height"),
        ({"kind": "text", "text": "x" * 4001}, "panels[0].text"),
        ({"kind": "text", "title": "x\n"}, "panels[0].title"),
        ({"kind": "line"}, "panels[0].question"),
        ({"kind": "line", "question": {"devices": []}}, "panels[0].question.devices"),
        ({"kind": "line", "question": {"devices": [1], "user": 1}}, "panels[0].question.user"),
        ({"kind": "line", "question": {"devices": [True]}}, "panels[0].question.devices"),
        (
            {"kind": "bar", "question": {"devices": [1], "interval": "often"}},
            "panels[0].question.interval",
        ),
        (
            {"kind": "table", "question": {"devices": [1], "stats": ["x"]}},
            "panels[0].question.stats",
        ),
        ({"kind": "gauge", "question": {"devices": [1]}, "low": 5, "high": 5}, "panels[0].low"),
        ({"kind": "gauge", "question": {"devices": [1]}, "low": "5"}, "panels[0].low"),
        ({"kind": "gauge", "question": {"devices": [1]}, "low": True}, "panels[0].low"),
        ({"kind": "gauge", "question": {"devices": [1]}, "high": 10**400}, "panels[0].high"),
    ],
)
def test_a_panel_that_is_wrong_is_refused_with_the_place(core, anna, kitchen, panel, at):
    with pytest.raises(InvalidInput) as refused:
        core.dashboards.create(anna, "Home", [panel])
    assert [problem.at for problem in refused.value.problems] == [at]


def test_a_panel_shows_only_devices_that_its_maker_sees(core, bert, kitchen):
    for ref in (kitchen.id, kitchen.key, 404, "none"):
        with pytest.raises(NotFound, match="not yours to show"):
            core.dashboards.create(bert, "Home", [line(ref)])


def test_who_changes_a_shared_dashboard_keeps_its_panels_and_adds_none_of_others_devices(
    core, anna, bert, kitchen, fleet
):
    cellar = fleet.device("cellar", owner=anna)
    made = core.dashboards.create(anna, "Home", [line(kitchen.id)])
    core.dashboards.share(anna, made.id, "bert", writes=True)
    kept = core.dashboards.get(bert, made.id).panels
    moved = core.dashboards.update(bert, made.id, panels=[{"kind": "text"}, *kept])
    assert [panel["kind"] for panel in moved.panels] == ["text", "line"]
    for other in (
        line(cellar.id),
        {"kind": "line", "question": {**kept[0]["question"], "metrics": ["secret"]}},
    ):
        with pytest.raises(NotFound, match="not yours to show"):
            core.dashboards.update(bert, made.id, panels=[other])
    with pytest.raises(Forbidden, match="owner"):
        core.dashboards.delete(bert, made.id)


def test_who_may_only_read_a_shared_dashboard_changes_nothing_but_leaves(core, anna, bert):
    made = core.dashboards.create(anna, "Home")
    core.dashboards.share(anna, made.id, "bert", writes=False)
    assert core.dashboards.get(bert, made.id) == made
    assert not core.dashboards.may_change(bert, made)
    with pytest.raises(Forbidden, match="to read"):
        core.dashboards.update(bert, made.id, name="x")
    core.dashboards.unshare(bert, made.id, bert.user_id)
    with pytest.raises(NotFound):
        core.dashboards.get(bert, made.id)


def test_panels_are_read_with_the_rights_that_the_owner_has_now(core, anna):
    made = core.dashboards.create(anna, "Home")
    assert core.dashboards.rights(made) == Principal("user", anna.user_id, token_reads_only=True)
    core.accounts.update(OPERATOR, anna.user_id, role="admin")
    assert core.dashboards.rights(made).is_admin
    assert core.dashboards.rights(core.dashboards.create(OPERATOR, "Mine")) == OPERATOR


def test_of_two_who_change_at_once_the_second_is_told(core, anna):
    made = core.dashboards.create(anna, "Home")
    core.dashboards.update(anna, made.id, name="First", revision=made.revision)
    with pytest.raises(Conflict, match="meanwhile"):
        core.dashboards.update(anna, made.id, name="Second", revision=made.revision)
    assert core.dashboards.get(anna, made.id).name == "First"


def test_a_viewer_makes_none(core, fleet):
    viewer = fleet.user("vera", role="viewer")
    for act in (
        lambda: core.dashboards.create(viewer, "x"),
        lambda: core.dashboards.save_question(viewer, "x", {}),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_link_opens_the_dashboard_until_it_is_revoked_or_over(core, anna, clock):
    made = core.dashboards.create(anna, "Home")
    link, secret = core.dashboards.add_link(anna, made.id, "wall")
    _, short = core.dashboards.add_link(anna, made.id, "guest", expires_time=clock.now + DAY)
    assert core.dashboards.by_link(secret) == core.dashboards.by_link(short) == made
    assert secret.encode() not in {one.digest for one in core.dashboards.links(anna, made.id)}
    clock.now += DAY
    with pytest.raises(NotFound):
        core.dashboards.by_link(short)
    core.dashboards.remove_link(anna, made.id, link.id)
    for wrong in (secret, "", "x", "a" * 20):
        with pytest.raises(NotFound, match="leads nowhere"):
            core.dashboards.by_link(wrong)


def test_everything_is_bounded(core, anna):
    with pytest.raises(InvalidInput, match="at most"):
        core.dashboards.create(anna, "Home", [{"kind": "text"}] * (PANELS_MAX + 1))
    made = core.dashboards.create(anna, "Home", [{"kind": "text"}] * PANELS_MAX)
    for _ in range(DASHBOARDS_MAX - 1):
        core.dashboards.create(anna, "More")
    with pytest.raises(Conflict):
        core.dashboards.create(anna, "Too many")
    for _ in range(LINKS_MAX):
        core.dashboards.add_link(anna, made.id, "wall")
    with pytest.raises(Conflict):
        core.dashboards.add_link(anna, made.id, "wall")
    for _ in range(QUESTIONS_MAX):
        core.dashboards.save_question(anna, "q", {"stats": "mean"})
    with pytest.raises(Conflict):
        core.dashboards.save_question(anna, "q", {})


def test_a_dashboard_comes_back_from_its_file(core, anna, kitchen):
    made = core.dashboards.create(anna, "Home", [line(kitchen.id, title="Warmth")])
    file = json.loads(json.dumps(core.dashboards.export(anna, made.id)))
    assert file["panels"][0]["question"]["devices"] == [kitchen.key]
    again = core.dashboards.restore(anna, file)
    assert (again.name, again.panels) == (made.name, made.panels)


@pytest.mark.parametrize(
    "file", [None, [], {}, {"format": "other"}, {"format": "barograph-dashboard", "version": 2}]
)
def test_what_is_no_dashboard_is_not_taken_for_one(core, anna, file):
    with pytest.raises(InvalidInput):
        core.dashboards.restore(anna, file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "title", "question", "devices", "stats", "text", "low", "width"]
            )
            | st.text(max_size=5),
            inner
            | st.sampled_from(
                ["line", "bar", "stat", "gauge", "table", "states", "text", "mean", "1"]
            ),
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=JSON)
def test_no_file_makes_the_reader_stumble(core, anna, file):
    try:
        core.dashboards.create(anna, "Home", [file])
    except BarographError:
        core.catalog.dashboards.visible_to(None)
    else:
        for made in core.dashboards.list(anna):
            core.dashboards.delete(anna, made.id)


def test_questions_are_kept_by_who_asked(core, anna, bert):
    saved = core.dashboards.save_question(anna, "Warmth", {"stats": "mean", "devices": [1]})
    assert list(core.dashboards.questions(anna)) == [saved]
    assert list(core.dashboards.questions(bert)) == []
    with pytest.raises(NotFound):
        core.dashboards.delete_question(bert, saved.id)
    with pytest.raises(InvalidInput):
        core.dashboards.save_question(anna, "Bad", {"stats": "x"})
    core.dashboards.delete_question(anna, saved.id)
    assert list(core.dashboards.questions(anna)) == []
