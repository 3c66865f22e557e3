"""Sessions, forms from elsewhere, set-up and registration."""

import dataclasses
import re

import pytest

from barograph.transport.web.sign_in import own_path


def test_pages_lead_to_the_sign_in_form_and_back(stranger, core, ada):
    answer = stranger.get("/?search=x")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/%3Fsearch%3Dx"
    form = stranger.get(answer.headers["location"])
    assert 'name="next" value="/?search=x"' in form.text
    answer = stranger.send(
        "/sign-in", username="ada", password="correct horse battery", next="/?search=x"
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?search=x"
    assert "ada" in stranger.get("/").text


def test_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger, ada):
    answer = stranger.send("/sign-in", username="ada", password="correct horse battery")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if "barograph_session" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # this is plain http


def test_a_wrong_password_is_refused_in_words(stranger, ada):
    answer = stranger.send("/sign-in", username="ada", password="wrong")
    assert answer.status_code == 401
    assert "The username or the password is not right." in answer.text
    assert stranger.get("/").status_code == 303


def test_signing_out_ends_the_session_also_for_who_kept_the_cookie(stranger, ada):
    stranger.send("/sign-in", username="ada", password="correct horse battery")
    kept = stranger.cookies["barograph_session"]
    assert stranger.send("/sign-out").status_code == 303
    stranger.cookies.set("barograph_session", kept)
    assert stranger.get("/").status_code == 303


def test_a_session_that_is_over_is_replaced_by_the_local_operator_here(browser):
    browser.cookies.set("barograph_session", "A" * 20, domain="127.0.0.1")
    assert browser.get("/").headers["location"] == "/sign-in"
    answer = browser.get("/sign-in")
    assert answer.headers["location"] == "/"
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_changes_nothing(browser, core, headers):
    answer = browser.send("/ui/devices/new", headers, name="Planted")
    assert answer.status_code == 403
    assert core.registry.devices() == []


@pytest.mark.parametrize("csrf", ["", "guess"])
def test_a_form_without_our_token_changes_nothing(browser, core, csrf):
    answer = browser.send("/ui/devices/new", name="Planted", csrf=csrf)
    assert answer.status_code == 403
    assert core.registry.devices() == []


def test_a_link_on_another_site_opens_the_dashboard_by_way_of_ours(browser):
    answer = browser.get("/?page=1", sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/?page=1">' in answer.text
    script = browser.get("/", sec_fetch_site="cross-site", sec_fetch_mode="cors")
    assert script.status_code == 303


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil", "x", "/\n/"])
def test_nobody_is_sent_to_another_site(path):
    assert own_path(path) == "/"


def test_set_up_link_makes_the_first_administrator_once(stranger, core):
    token = core.accounts.setup_link_token()
    assert f'name="token" value="{token}"' in stranger.get(f"/setup?token={token}").text
    fields = {"username": "root", "email": "", "password": "correct horse battery"}
    assert stranger.send("/setup", token="A" * 20, **fields).status_code == 403
    assert stranger.send("/setup", token=token, **fields).status_code == 303
    assert "root" in stranger.get("/").text
    assert core.catalog.users.find("root").role == "admin"
    assert stranger.send("/setup", token=token, **fields).status_code == 403


def test_a_set_up_link_that_works_no_more_shows_no_form(stranger, core):
    wrong = stranger.get("/setup?token=" + "A" * 20)
    assert (wrong.status_code, 'name="password"' in wrong.text) == (403, False)
    assert "restart Barograph for a new one" in wrong.text
    token = core.accounts.setup_link_token()
    core.accounts.claim_setup(token, "root", "correct horse battery")
    used = stranger.get(f"/setup?token={token}")
    assert (used.status_code, 'name="password"' in used.text) == (403, False)
    assert "There is an administrator already: sign in." in used.text
    assert 'class="button" href="/sign-in"' in used.text


def test_registration_makes_a_member_who_is_signed_in(stranger, core):
    answer = stranger.send(
        "/ui/register", username="bob", email="bob@example.org", password="correct horse battery"
    )
    assert answer.status_code == 303
    assert core.catalog.users.find("bob").role == "member"
    assert "bob" in stranger.get("/").text


def test_registration_says_what_is_wrong(stranger, core, ada):
    answer = stranger.send(
        "/ui/register", username="ada", email="other@example.org", password="correct horse battery"
    )
    assert answer.status_code == 409
    assert re.search(r'role="alert">[^<]*taken', answer.text)


def test_no_registration_where_it_is_closed(stranger, core):
    core.accounts.registration = "closed"
    assert stranger.get("/ui/register").status_code == 404
    assert stranger.send("/ui/register", username="bob", password="x").status_code == 404
    assert "/ui/register" not in stranger.get("/sign-in").text


def test_a_form_is_no_longer_than_a_body_may_be_whoever_sends_it(stranger, core):
    core.limits = dataclasses.replace(core.limits, body_bytes_max=10_000)
    answer = stranger.request("POST", "/sign-in", files={"file": b"x" * 20_000})
    assert answer.status_code == 413
    assert "10000 bytes" in answer.text
    assert stranger.send("/sign-in", username="x" * 5_000).status_code == 401


def test_a_piece_of_a_page_leads_to_the_form_and_back_to_the_page(stranger):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://127.0.0.1:8000/?order=name&page=2"}
    answer = stranger.request("GET", "/ui/devices/new", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["hx-redirect"] == "/sign-in?next=/%3Forder%3Dname%26page%3D2"
    for url in ("http://127.0.0.1:8000/", "http://[", "javascript:alert(1)"):
        answer = stranger.get("/ui/devices/new", hx_request="true", hx_current_url=url)
        assert answer.headers["hx-redirect"].partition("?next=")[0] == "/sign-in"
