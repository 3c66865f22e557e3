"""Headers, files, languages, and how errors look."""

import re
from dataclasses import replace
from importlib.resources import files

import pytest
from babel.messages.extract import extract_from_dir
from tests.transport.web.conftest import Browser

from barograph.domain.errors import Unauthenticated, Unavailable
from barograph.domain.time import DAY, HOUR
from barograph.domain.user import OPERATOR
from barograph.ports.page import Page
from barograph.services.schedules import Wanted
from barograph.transport.web.language import choose_language, load_languages
from barograph.transport.web.paging import part_of
from barograph.transport.web.static_files import StaticFiles

ROOM = files("barograph.transport.web")
LANGUAGES = load_languages()


@pytest.mark.parametrize("path", ["/", "/sign-in", "/setup", "/ui/devices/404", "/ui/static/0/no"])
def test_every_answer_forbids_what_pages_do_not_need(stranger, path):
    headers = stranger.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_pages_by_https_are_cut_off_from_who_opened_them(core, stranger):
    by_https = Browser(core, "required", scheme="https")
    assert by_https.get("/sign-in").headers["cross-origin-opener-policy"] == "same-origin"
    assert "cross-origin-opener-policy" not in stranger.get("/sign-in").headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, zstd;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("br", None),
        ("", None),
    ],
)
def test_pages_are_compressed_as_the_browser_reads_them(browser, greenhouse, accepted, encoding):
    path = f"/ui/devices/{greenhouse.id}"
    answer = browser.get(path, accept_encoding=accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers.get("vary") == ("Accept-Encoding" if encoding else None)
    assert greenhouse.name in answer.text


def test_no_page_has_an_inline_script_or_style(browser, greenhouse):
    for path in ("/", f"/ui/devices/{greenhouse.id}", "/ui/devices/new"):
        page = browser.get(path).text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_files_are_kept_for_good_under_an_address_that_changes_with_them(browser):
    address = re.search(r'href="(/ui/static/[^"]+barograph.css)"', browser.get("/").text)[1]
    answer = browser.get(address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert browser.get("/ui/static/older/barograph.css").headers["cache-control"] == "no-cache"
    assert browser.get(address, accept_encoding="identity").content == answer.content


def test_the_style_of_a_page_comes_in_two_files(browser, greenhouse):
    page = browser.get(f"/ui/devices/{greenhouse.id}").text
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert [address.rpartition("/")[2] for address in styles] == ["device.css", "barograph.css"]
    device, all_pages = (browser.get(address).text for address in styles)
    assert device.index(".u-select") < device.index(".sections")
    assert all_pages.index(".site") < all_pages.index(".tabs")


def test_licences_of_foreign_files_lie_beside_them_and_are_not_served():
    for name in ("htmx", "uplot"):
        folder = ROOM / "static" / "vendor" / name
        assert (folder / "LICENSE").is_file()
        assert (folder / "VERSION").is_file()
    assert StaticFiles().get("vendor/htmx/LICENSE") is None


def test_a_page_weighs_less_than_200_kilobytes():
    statics = StaticFiles()
    names = [
        "barograph.css",
        "app.js",
        "live.js",
        "format.js",
        "strip.js",
        "device.js",
        "favicon.svg",
        "vendor/htmx/htmx.min.js",
        "vendor/uplot/uPlot.iife.min.js",
        "device.css",
    ]
    assert sum(len(statics.get(name).plain) for name in names) < 200_000


def test_what_is_not_there_is_a_page_of_our_own(browser):
    answer = browser.get("/ui/devices/404")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert browser.get("/ui/devices/x").status_code == 422


def test_an_address_that_no_page_has_is_a_page_of_our_own(browser):
    answer = browser.get("/ui/nowhere/at-all")
    assert answer.status_code == 404
    assert "No page has this address." in answer.text


def test_a_page_that_says_no_leaves_the_navigation_to_those_who_have_one(browser, stranger):
    for path in ("/ui/devices/404", "/ui/nowhere", "/docs/mqtt"):
        assert 'href="/ui/analytics"' in browser.get(path).text
        assert 'href="/ui/analytics"' not in stranger.get(path).text


def test_no_answer_of_an_error_replaces_the_token_of_open_forms(browser):
    assert "set-cookie" not in browser.get("/ui/nowhere").headers


def test_a_defect_is_told_on_a_page_whose_number_is_in_the_log(browser, core, caplog, greenhouse):
    core.presence = None  # as a defect of ours would be
    answer = browser.get(f"/ui/devices/{greenhouse.id}", accept_language="ru")
    assert answer.status_code == 500
    assert "Внутри Barograph" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    number = answer.headers["x-request-id"]
    assert f"<code>{number}</code>" in answer.text
    (record,) = [one for one in caplog.records if one.exc_info]
    assert number in record.getMessage()


def test_what_is_away_is_asked_for_again_and_its_reason_is_not_for_strangers(
    browser, stranger, core
):
    def away(*_, **__):
        raise Unavailable("the catalog /var/lib/data.db cannot be used (disk I/O error)")

    core.accounts.check_password = away
    told = stranger.send("/sign-in", username="ada", password="correct horse battery")
    assert (told.status_code, "/var/lib" in told.text) == (503, False)
    core.assets.kinds = away
    told = browser.get("/ui/inventory?kind=auto")
    assert told.status_code == 503
    assert "The catalog /var/lib/data.db cannot be used (disk I/O error)." in told.text
    assert 'href="/ui/inventory?kind=auto">Try again</a>' in told.text


@pytest.mark.parametrize(
    ("remembered", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        (None, "en-US,en;q=0.9,ru;q=0.8", "en"),
        (None, "de-DE,de;q=0.9,ru;q=0.5,en;q=0.4", "ru"),
        (None, "fr;q=x,*;q=0", "en"),
        ("en", "ru", "en"),
        ("tlh", "ru", "ru"),
    ],
)
def test_language_follows_the_choice_then_the_browser(remembered, accepted, code):
    assert choose_language(LANGUAGES, remembered, accepted).code == code


def test_the_choice_of_language_and_colours_is_remembered(browser):
    answer = browser.send("/ui/preferences", language="ru", next="/?page=1")
    assert answer.headers["location"] == "/?page=1"
    browser.send("/ui/preferences", theme="dark")
    page = browser.get("/").text
    assert '<html lang="ru" data-theme="dark"' in page
    assert "Лента пока чиста" in page


def test_every_text_has_a_russian_translation():
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None, "text": None}
    texts = {
        message
        for room in (ROOM, ROOM.parent / "reports")
        for _, _, message, _, _ in extract_from_dir(
            str(room),
            method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
            options_map={"templates/**.html": {"extensions": "jinja2.ext.i18n"}},
            keywords=keywords,
        )
    }
    assert len(texts) > 50
    russian = LANGUAGES["ru"].translations
    missing = [
        text
        for text in texts
        if (
            any(russian.ngettext(*text, n) in text for n in (1, 2, 5))
            if isinstance(text, tuple)
            else russian.gettext(text) == text and text != "p95"
        )
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [
        (21.534, "21.53", "21,53"),
        (21.0, "21", "21"),
        (1013.26, "1,013.3", "1\xa0013,3"),
        (123.456, "123.5", "123,5"),
        (0.00123, "0.00123", "0,00123"),
        (-0.5, "-0.5", "-0,5"),
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (1.5e12, "1.50e12", "1.50e12"),
        (1.5e-7, "1.50e-7", "1.50e-7"),
        (None, "–", "–"),
        ("open", "open", "open"),
    ],
)
def test_values_are_short_and_in_the_readers_notation(value, english, russian):
    assert LANGUAGES["en"].value(value) == english
    assert LANGUAGES["ru"].value(value) == russian


def test_the_pages_can_be_installed(browser):
    found = re.search(r'<link rel="manifest" href="([^"]+)"', browser.get("/").text)[1]
    answer = browser.get(found)
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    for icon in manifest["icons"]:
        picture = browser.get(found.rpartition("/")[0] + "/" + icon["src"])
        assert (picture.status_code, picture.headers["content-type"]) == (200, icon["type"])


def test_the_log_reads_as_people_write(browser, core):
    device, _ = core.devices.create(OPERATOR, "Kitchen", key="kitchen")
    core.accounts.audit.note(
        OPERATOR,
        "device.metrics",
        device.name,
        device.id,
        {"t": {"unit": "°C", "low": None}, "enabled": True, "to": [], "names": ["a", "b"]},
    )
    page = browser.get("/ui/people/audit").text
    assert "t: unit °C, low –, enabled: yes, names: a, b" in page


def test_the_log_is_in_the_reader_s_language(browser, core):
    core.accounts.audit.note(
        OPERATOR,
        "user.create",
        "boris",
        7,
        {"role": "member", "enabled": False, "cron": "0 6 * * 1"},
    )
    page = browser.get("/ui/people/audit", accept_language="ru").text
    assert "роль: участник, включено: нет, cron: 0 6 * * 1" in page


def test_the_log_says_in_the_reader_s_language_what_tokens_may_and_who_was_not_known(browser, core):
    ada, _ = core.accounts.register("ada", None, "correct horse battery", OPERATOR)
    core.accounts.tokens.create(OPERATOR, ada.id, "wall", reads_only=True)
    with pytest.raises(Unauthenticated):
        core.accounts.check_password("eve", "wrong", "192.0.2.1")
    page = browser.get("/ui/people/audit", accept_language="ru").text
    assert "токен: wall, доступ: только читать" in page
    assert "неудачный вход под именем <b>(неизвестно)</b>" in page
    assert "сетевой адрес: 192.0.2.1" in page


def test_buckets_of_days_have_dates_and_shorter_ones_the_time_of_day_too(browser, core, write):
    device, _ = core.devices.create(OPERATOR, "Mast", key="mast")
    write(device, [(day * DAY + HOUR, {"x": 1.0}) for day in (10, 11)])
    asked = f"/ui/analytics?devices={device.id}&start_time=1970-01-10&end_time=1970-01-20&tz=UTC&interval="
    by_day, by_hour = (browser.get(asked + interval).text for interval in ("1d", "1h"))
    assert ">11 Jan 1970</time>" in by_day
    assert ">11 Jan 1970 01:00</time>" in by_hour


def test_a_schedule_says_its_zone_where_it_is_another_than_the_reader_s(browser, core):
    for name, zone in (("Here", "UTC"), ("Far", "Asia/Tokyo")):
        question = {"devices": [], "period": "yesterday", "tz": zone}
        core.schedules.create(OPERATOR, Wanted(name, question, "0 6 * * 1"))
    page = browser.get("/ui/reports").text
    assert page.count("Asia/Tokyo") == 1
    assert ">UTC<" not in page


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/ui/people", 'href="/ui/people/1"'),
        ("/ui/inventory", 'href="/ui/inventory/1"'),
        ("/ui/people/audit", "added the asset"),
    ],
)
def test_beyond_the_last_page_of_a_list_is_the_last_one(browser, core, ada, path, there):
    core.assets.create(OPERATOR, "room", "Attic", {})
    assert there in browser.get(f"{path}?page=9").text


def test_a_list_goes_on_where_a_page_is_shorter_than_usual(core):
    core.limits = replace(core.limits, page_items_max=2)
    found = [
        part_of(core, lambda limit, offset: Page([*range(5)][offset : offset + limit], 5), page, 50)
        for page in (1, 2, 3)
    ]
    assert [(one.items, one.pages) for one in found] == [([0, 1], 3), ([2, 3], 3), ([4], 3)]


def test_a_report_at_times_that_are_not_said_is_not_made_at_once(browser, core):
    answer = browser.send("/ui/reports/new", name="Weekly", period="today", time="custom", cron="")
    assert answer.status_code == 422
    assert "Say at which times it is to be made." in answer.text
    assert '<option value="custom" selected>' in answer.text
    assert core.jobs.list(OPERATOR, limit=1).items == []
