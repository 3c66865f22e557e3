"""Dashboards, links and saved questions, the same on every database."""

import pytest

from barograph.domain.dashboard import Dashboard, DashboardLink, SavedQuestion
from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.sharing import Share

PANELS = [{"kind": "text", "text": "Grüße, 湿度"}]


@pytest.fixture
def board(catalog, user):
    return catalog.dashboards.create(Dashboard(0, "Home", PANELS, user.id, created_time=7), 10)


def test_a_dashboard_is_kept_changed_and_removed(catalog, board):
    assert catalog.dashboards.get(board.id) == board
    assert (board.panels, board.revision, board.changed_time) == (PANELS, 1, 7)
    changed = catalog.dashboards.update(board.id, "Hut", [], 1, 9)
    assert (changed.name, changed.panels, changed.revision, changed.changed_time) == (
        "Hut",
        [],
        2,
        9,
    )
    with pytest.raises(Conflict, match="somebody else"):
        catalog.dashboards.update(board.id, "x", [], 1, 9)
    catalog.dashboards.delete(board.id)
    for act in (
        lambda: catalog.dashboards.delete(board.id),
        lambda: catalog.dashboards.update(board.id, "x", [], 2, 9),
    ):
        with pytest.raises(NotFound):
            act()


def test_users_see_their_own_and_what_is_shared(catalog, board, user):
    bob = catalog.users.create("bob", None, None, "member", 1)
    nobodys = catalog.dashboards.create(Dashboard(0, "Attic"), 10)
    assert list(catalog.dashboards.visible_to(bob.id)) == []
    catalog.dashboard_shares.put(Share(board.id, bob.id), 10)
    assert list(catalog.dashboards.visible_to(bob.id)) == [board]
    assert list(catalog.dashboards.visible_to(None)) == [nobodys, board]
    with pytest.raises(Conflict):
        catalog.dashboards.create(Dashboard(0, "Second", user_id=user.id), 1)
    with pytest.raises(InvalidInput):
        catalog.dashboards.create(Dashboard(0, "x", user_id=404), 1)


def test_links_are_found_by_digest_and_end_with_the_dashboard(catalog, board, digest):
    mine = digest()
    link = catalog.dashboards.add_link(DashboardLink(0, board.id, mine, "wall", 3, 4), 1)
    assert catalog.dashboards.find_link(mine) == link
    assert list(catalog.dashboards.links(board.id)) == [link]
    with pytest.raises(Conflict):
        catalog.dashboards.add_link(DashboardLink(0, board.id, digest(), "x"), 1)
    with pytest.raises(NotFound):
        catalog.dashboards.remove_link(board.id + 1, link.id)
    catalog.dashboards.delete(board.id)
    assert catalog.dashboards.find_link(mine) is None


def test_what_a_user_made_ends_with_the_user(catalog, board, user):
    saved = catalog.questions.create(SavedQuestion(0, "q", {"stats": ["mean"]}, user.id, 5), 10)
    assert catalog.questions.get(saved.id) == saved
    assert list(catalog.questions.of_user(user.id)) == [saved]
    assert list(catalog.questions.of_user(None)) == []
    with pytest.raises(Conflict):
        catalog.questions.create(SavedQuestion(0, "q", {}, user.id), 1)
    catalog.users.delete(user.id)
    assert catalog.dashboards.get(board.id) is None
    with pytest.raises(NotFound):
        catalog.questions.delete(saved.id)
