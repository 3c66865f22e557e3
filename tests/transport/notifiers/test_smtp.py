"""Notices by e-mail, to a server that speaks SMTP."""

import socket

import pytest

from barograph.domain.errors import ConfigurationError, Forbidden, InvalidInput, Unavailable
from barograph.domain.user import OPERATOR, Principal
from barograph.ports.notifier import Attachment, Notice
from barograph.transport.notifiers.smtp import SmtpNotifier

NOTICE = Notice(
    "report-7-1",
    "Отчёт за сутки",
    "temperature: 21,5 °C\n.\n",
    {},
    [Attachment("report-7.pdf", "application/pdf", b"%PDF\r\n.\r\n\x00\xff")],
)
FROM = "Baro Graph <reports@example.org>"


def notifier(post, trust=None, login=""):
    return SmtpNotifier(f"smtp://{login}127.0.0.1:{post.port}", FROM, trust)


def test_a_notice_arrives_with_its_text_and_its_files(post):
    notifier(post).send("bob@example.org", NOTICE)
    ((_, message),) = post.messages
    assert message["From"] == FROM
    assert message["To"] == "bob@example.org"
    assert message["Subject"] == "Отчёт за сутки"
    assert message["Message-ID"] == "<report-7-1@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, file = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == NOTICE.text
    assert file.get_content() == NOTICE.attachments[0].content
    assert file.get_filename() == "report-7.pdf"


def test_the_password_goes_over_tls_only(safe_post, trust):
    notifier(safe_post, trust, "ann:p%40ss%20word@").send("bob@example.org", NOTICE)
    ((secure, _),) = safe_post.messages
    assert secure
    assert safe_post.heard.index("STARTTLS") < safe_post.heard.index("AUTH")


def test_without_tls_no_password_is_sent(post):
    with pytest.raises(Unavailable, match="no encryption"):
        notifier(post, login="ann:p%40ss@").send("bob@example.org", NOTICE)
    assert "AUTH" not in post.heard
    assert post.messages == []


def test_a_certificate_that_nobody_vouches_for_is_not_believed(safe_post):
    with pytest.raises(Unavailable, match="certificate"):
        notifier(safe_post).send("bob@example.org", NOTICE)
    assert safe_post.messages == []


def test_a_wrong_password_may_be_mended(safe_post, trust):
    with pytest.raises(Unavailable, match="535"):
        notifier(safe_post, trust, "ann:guessed@").send("bob@example.org", NOTICE)


@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("RCPT", "550 no such user", InvalidInput),
        ("RCPT", "451 try later", Unavailable),
        ("MAIL", "552 too much", InvalidInput),
        ("DATA", "421 closing", Unavailable),
    ],
)
def test_what_the_server_refuses_is_tried_again_where_that_may_help(post, verb, reply, error):
    post.replies[verb] = reply
    with pytest.raises(error, match=reply[:3]):
        notifier(post).send("bob@example.org", NOTICE)
    assert post.messages == []


def test_a_server_that_is_away_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        SmtpNotifier(f"smtp://127.0.0.1:{port}", FROM).send("bob@example.org", NOTICE)


def test_a_subject_of_two_lines_cannot_add_a_header(post):
    with pytest.raises(InvalidInput, match="cannot be written"):
        notifier(post).send("bob@example.org", Notice("1", "a\nBcc: eve@example.org", "text"))
    assert post.messages == []


@pytest.mark.parametrize("target", ["eve", "eve@example.org\nBcc: bob@example.org", ""])
def test_what_is_no_address_is_refused(post, target):
    with pytest.raises(InvalidInput):
        notifier(post).check(OPERATOR, None, target)


def test_members_write_to_themselves_only(post):
    member, admin = Principal("user", 1), Principal("user", 2, role="admin")
    check = notifier(post).check
    check(member, "Bob@example.org", "bob@example.org")
    check(admin, None, "bob@example.org")
    for own in ("ann@example.org", None):
        with pytest.raises(Forbidden, match="administrator"):
            check(member, own, "bob@example.org")


@pytest.mark.parametrize(
    ("url", "sender", "message"),
    [
        ("", FROM, "smtp://user"),
        ("mail.example.org", FROM, "smtp://user"),
        ("http://mail.example.org", FROM, "smtp://user"),
        ("smtp://mail.example.org:port", FROM, "smtp://user"),
        ("smtp://mail.example.org", "", "mail_from"),
        ("smtp://mail.example.org", "nobody", "mail_from"),
    ],
)
def test_settings_that_cannot_work_say_what_would(url, sender, message):
    with pytest.raises(ConfigurationError, match=message):
        SmtpNotifier(url, sender)
