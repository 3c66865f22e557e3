"""People and access, as a person goes about it."""

import re
import urllib.request

import pytest
from playwright.sync_api import expect

from .conftest import Server
from .pages import PASSWORD, check, every_look, sign_in


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Where everybody signs in; ada is administrator."""
    directory = tmp_path_factory.mktemp("guarded")
    server = Server(directory, "--auth", "required")
    operator = re.search(r'"token":\s*"([^"]+)"', (directory / "data/server.json").read_text())[1]
    for name, role in (("ada", "admin"), ("bob", "member"), ("vera", "viewer")):
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        server.post("/api/users", {**body, "role": role}, operator)
    server.operator = operator
    yield server
    server.stop()


@pytest.fixture
def as_(guarded, open_page):
    """The dashboard's page of a user who has signed in."""

    def as_(name, **options):
        # A form with a mistake is answered with 4xx, which the browser logs.
        page = open_page(f"{guarded.url}/sign-in", expected_error="status of 4", **options)
        sign_in(page, guarded, name)
        return page

    return as_


def test_every_page_about_people_is_accessible_in_every_look(guarded, open_page):
    long = {"name": "Looked at", "key": "the/long/key/of/a/device/in/the/third/cellar"}
    device = guarded.post("/api/devices", long, guarded.operator)
    every_look(
        open_page,
        guarded.url,
        (
            "/ui/people",
            "/ui/people/2",
            "/ui/people/audit",
            "/ui/profile",
            f"/ui/devices/{device['id']}/sharing",
        ),
        lambda page: sign_in(page, guarded, "ada"),
    )


def test_the_menu_works_by_keyboard_on_a_narrow_screen(as_):
    page = as_("ada", viewport={"width": 360, "height": 700})
    people = page.get_by_role("link", name="People", exact=True)
    expect(people).to_be_hidden()
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    expect(people).to_be_visible()
    check(page)
    page.keyboard.press("Escape")
    expect(people).to_be_hidden()
    page.keyboard.press("Enter")
    people.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("People")
    expect(page.locator(".site-nav [aria-current]")).to_have_text("People")


def test_the_first_key_leads_past_the_navigation(as_):
    page = as_("ada")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")


def test_a_token_is_made_used_seen_and_revoked(guarded, as_):
    page = as_("bob")
    page.get_by_role("link", name="bob", exact=True).click()
    page.get_by_label("What is it for?").fill("wall")
    page.get_by_label("It may").select_option("read only")
    page.get_by_label("It is valid").select_option("for 30 days")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#token").inner_text()
    row = page.locator(".tokens tr", has_text="wall")
    expect(row).to_contain_text("read only")
    expect(row).to_contain_text("never")
    request = urllib.request.Request(
        f"{guarded.url}/api/devices", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    page.goto(f"{guarded.url}/ui/profile")
    expect(row).to_contain_text("ago")
    page.get_by_role("button", name="Revoke wall").click()
    expect(page.get_by_text("The token is refused from now on.")).to_be_visible()
    expect(row).to_have_count(0)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request)


def test_an_administrator_adds_changes_and_removes_a_user(as_):
    page = as_("ada")
    page.get_by_role("link", name="People", exact=True).click()
    form = page.locator("#add")
    form.get_by_label("User name").fill("bob")
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("taken")
    form.get_by_label("User name").fill("carla")
    form.get_by_label("Password").fill("a long enough one")
    form.get_by_label("Role").select_option("viewer")
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("carla")
    page.get_by_label("Role").select_option("admin")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".page-head .tag")).to_have_text("administrator")
    page.get_by_text("Remove the user").click()
    page.get_by_label("To go on, type the name carla").fill("carl")
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody was removed")
    page.get_by_text("Remove the user").click()
    page.get_by_label("To go on, type the name carla").fill("carla")
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("People")
    page.get_by_role("link", name="Who did what").click()
    page.get_by_label("Name contains").fill("carla")
    page.get_by_label("Kind").select_option("users")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr").first).to_contain_text("removed the user carla")
    expect(page.locator("tbody tr").last).to_contain_text("added the user carla")


def test_people_are_the_administrators_to_see(guarded, as_):
    page = as_("bob")
    expect(page.get_by_role("link", name="People", exact=True)).to_have_count(0)
    for path in ("/ui/people", "/ui/people/audit", "/ui/people/1"):
        assert page.goto(guarded.url + path).status == 403
        check(page)


def test_sharing_a_device_shows_it_to_the_other_until_it_ends(guarded, as_):
    bob = as_("bob")
    bob.goto(f"{guarded.url}/ui/devices/new")
    bob.get_by_label("Name").fill("Bob's barn")
    bob.get_by_role("button", name="Add", exact=True).click()
    bob.get_by_role("link", name="Open the device").click()
    bob.wait_for_url(re.compile(r"/ui/devices/\d+$"))
    page_of_device = bob.url
    bob.goto(f"{page_of_device}/sharing")
    bob.get_by_label("User name or e-mail").fill("nobody")
    bob.get_by_role("button", name="Share", exact=True).click()
    expect(bob.get_by_role("alert")).to_contain_text("There is no user")
    bob.get_by_label("User name or e-mail").fill("vera")
    bob.get_by_role("button", name="Share", exact=True).click()
    expect(bob.locator("tbody")).to_contain_text("vera")

    vera = as_("vera")
    expect(vera.get_by_role("link", name="Bob's barn")).to_be_visible()
    assert vera.goto(f"{page_of_device}/sharing").status == 403
    vera.goto(f"{guarded.url}/ui/profile")
    expect(vera.locator("#shared")).to_contain_text("Bob's barn")

    bob.get_by_role("button", name="Stop sharing").click()
    expect(bob.locator("tbody")).not_to_contain_text("vera")
    assert vera.goto(page_of_device).status == 404


def test_a_new_password_keeps_this_session_and_ends_the_others(as_, guarded):
    other, page = as_("vera"), as_("vera")
    page.goto(f"{guarded.url}/ui/profile")
    page.get_by_label("Old password").fill("wrong")
    page.get_by_label("New password").fill("another long battery")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("old")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password").fill("another long battery")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status").first).to_contain_text("The new password holds")
    other.goto(f"{guarded.url}/ui/profile")
    assert "/sign-in" in other.url
    page.get_by_label("Old password").fill("another long battery")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status").first).to_contain_text("The new password holds")
