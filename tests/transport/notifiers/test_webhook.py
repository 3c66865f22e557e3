"""Notices to webhooks."""

import hashlib
import hmac
import json
import socket

import pytest

from barograph.domain.errors import ConfigurationError, InvalidInput, Unavailable
from barograph.domain.user import Principal
from barograph.ports.notifier import Notice
from barograph.transport.notifiers.webhook import WebhookNotifier

SECRET = "known to us two only"
NOTICE = Notice("report-7-2", "subject", "text", {"event": "report", "name": "Отчёт"})


@pytest.fixture
def notifier(hook):
    return WebhookNotifier({"office": hook.url}, SECRET, lambda: 1_760_000_000.9)


def test_a_notice_is_posted_and_signed(notifier, hook):
    notifier.send("office", NOTICE)
    ((path, headers, body),) = hook.calls
    assert path == "/hook?key=1"
    assert json.loads(body) == NOTICE.facts
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Barograph-Id"] == "report-7-2"
    signed = hmac.new(SECRET.encode(), b"1760000000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Barograph-Signature"] == f"t=1760000000,v1={signed}"


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Unavailable), (503, Unavailable), (429, Unavailable), (400, InvalidInput)],
)
def test_what_is_not_taken_is_tried_again_where_that_may_help(notifier, hook, status, error):
    hook.answers.append(status)
    with pytest.raises(error, match=f"answered {status}"):
        notifier.send("office", NOTICE)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(notifier, hook, status):
    hook.answers.append(status)
    with pytest.raises(InvalidInput, match=str(status)):
        notifier.send("office", NOTICE)
    assert len(hook.calls) == 1


def test_a_server_that_is_away_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    notifier = WebhookNotifier({"office": f"http://127.0.0.1:{port}/"}, SECRET)
    with pytest.raises(Unavailable, match="'office' did not answer"):
        notifier.send("office", NOTICE)


def test_a_proxy_of_the_environment_is_not_asked(notifier, hook, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    notifier.send("office", NOTICE)
    assert len(hook.calls) == 1


def test_only_what_the_settings_name_can_be_told(notifier, hook):
    notifier.check(Principal("user", 1), None, "office")
    for target in ("home", hook.url, ""):
        with pytest.raises(InvalidInput, match="no webhook of this name"):
            notifier.check(Principal("user", 1), None, target)
        with pytest.raises(InvalidInput, match="no webhook of this name"):
            notifier.send(target, NOTICE)


@pytest.mark.parametrize(
    ("addresses", "secret", "message"),
    [
        ({"office": "ftp://example.org"}, SECRET, r"webhooks\.office"),
        ({"office": "example.org/hook"}, SECRET, r"webhooks\.office"),
        ({"office": "https://example.org:99999/hook"}, SECRET, r"webhooks\.office"),
        ({"office": "https://[::1/hook"}, SECRET, r"webhooks\.office"),
        ({"office": "https://example.org/hook"}, "short", "webhook_secret"),
        ({"office": "https://example.org/hook"}, "", "webhook_secret"),
    ],
)
def test_settings_that_cannot_work_say_what_would(addresses, secret, message):
    with pytest.raises(ConfigurationError, match=message):
        WebhookNotifier(addresses, secret)
