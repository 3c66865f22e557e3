"""Forms of dashboards that no page of ours would send."""

import pytest

from barograph.domain.user import OPERATOR

TEXT = {"kind": "text", "text": "hello"}


@pytest.fixture
def board(core):
    return core.dashboards.create(OPERATOR, "Board", [TEXT, TEXT])


@pytest.mark.parametrize("text", ["abc", "-1", "9" * 5000, "٣"])
@pytest.mark.parametrize("page", ["arrange", "panels/new", "panels/0"])
def test_a_revision_that_is_no_number_is_refused_in_words(browser, core, board, page, text):
    answer = browser.send(
        f"/ui/dashboards/{board.id}/{page}", revision=text, order=["0", "1"], **TEXT
    )
    assert "use a number" in answer.text
    assert core.dashboards.get(OPERATOR, board.id).revision == board.revision


@pytest.mark.parametrize(
    "order", [["0"], ["0", "0"], ["0", "x"], ["1", "0", "x"], ["0", "9" * 5000]]
)
def test_an_order_that_is_not_of_these_panels_is_refused_in_words(browser, core, board, order):
    answer = browser.send(f"/ui/dashboards/{board.id}/arrange", order=order)
    assert "changed meanwhile" in answer.text
    assert core.dashboards.get(OPERATOR, board.id).revision == board.revision


def test_a_button_of_no_panel_moves_none(browser, core, board):
    for act in ("remove:9", "remove:" + "9" * 5000, "remove:x", "remove"):
        browser.send(f"/ui/dashboards/{board.id}/arrange", order=["0", "1"], act=act)
    assert len(core.dashboards.get(OPERATOR, board.id).panels) == 2
    browser.send(f"/ui/dashboards/{board.id}/arrange", order=["0", "1"], act="remove:1")
    assert len(core.dashboards.get(OPERATOR, board.id).panels) == 1


def test_a_panel_without_its_device_is_asked_for_again(browser, core, greenhouse):
    panel = {"kind": "stat", "title": "Now", "question": {"devices": [greenhouse.id]}}
    board = core.dashboards.create(OPERATOR, "Board", [panel])
    core.devices.delete(OPERATOR, greenhouse)
    page = browser.get(f"/ui/dashboards/{board.id}").text
    assert 'data-every="30000"' in page
    assert "there is no such device" in page.lower()
