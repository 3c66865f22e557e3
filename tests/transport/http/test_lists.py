"""Lists in pages, whose size a setting bounds."""

import dataclasses

import pytest

LISTS = ("users", "devices", "devices/kitchen/commands", "assets", "audit", "jobs", "reports")


@pytest.fixture(params=[*LISTS, "schedules"])
def path(request, core, fleet):
    core.limits = dataclasses.replace(core.limits, page_items_max=10)
    key = fleet.device("kitchen").key
    return f"/api/{request.param}".replace("kitchen", key)


def test_no_page_is_longer_than_the_setting_says_asked_for_or_not(path, admin):
    assert admin.get(path).json()["limit"] == 10
    assert admin.get(path, params={"limit": 3}).json()["limit"] == 3
    assert admin.get(path, params={"limit": 11}).status_code == 422
