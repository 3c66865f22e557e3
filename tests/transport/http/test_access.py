"""Who a request is taken for: the local operator's rule from both sides."""

from hashlib import sha256

import pytest

from barograph.domain.errors import Forbidden, Unauthenticated
from barograph.domain.user import OPERATOR, Principal
from barograph.transport.http.access import Access, host_name

TOKEN = "abcdefghijklmnopqrst"
DEVICE = Principal("device", device_id=7)
USER = Principal("user", user_id=3)


class Registry:
    def principal(self, digest):
        return DEVICE if digest == sha256(TOKEN.encode()).digest() else None


class Authenticator:
    def authenticate(self, credential):
        if credential == "a.b.c":
            return USER
        raise Unauthenticated("unknown")

    def session(self, cookie):
        if cookie == "good":
            return USER
        raise Unauthenticated("unknown")


def access(mode="auto", listening=("127.0.0.1", "::1")):
    return Access(Registry(), Authenticator(), mode, listening)


def scope(client="127.0.0.1", host="localhost:8000", method="POST", **headers):
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "method": method,
        "client": (client, 5000) if client else None,
        "headers": [(k.encode(), v.encode()) for k, v in named.items() if v is not None],
    }


def two_hosts(*hosts):
    return {**scope(host=None), "headers": [(b"host", host) for host in hosts]}


@pytest.mark.parametrize(
    "given",
    [
        scope(),
        scope(client="::1", host="[::1]:8000"),
        scope(client="::ffff:127.0.0.1", host="127.0.0.1"),
        scope(client="127.3.2.1", host="LOCALHOST:1"),
        scope(origin="http://localhost:8000", sec_fetch_site="same-origin"),
        scope(sec_fetch_site="none"),
        scope(host=None),
    ],
)
def test_this_machine_s_user_needs_no_credential_on_loopback(given):
    assert access().principal(given) == OPERATOR


@pytest.mark.parametrize(
    "given",
    [
        scope(client="192.0.2.1"),
        scope(client=None),
        scope(forwarded="for=1.2.3.4"),
        scope(x_forwarded_for="1.2.3.4"),
        scope(x_forwarded_host="x"),
        scope(x_forwarded_proto="https"),
        scope(x_forwarded_port="443"),
        scope(x_forwarded_prefix="/barograph"),
        scope(x_real_ip="1.2.3.4"),
        scope(via="1.1 proxy"),
        scope(host="evil.example:8000"),
        scope(host="localhost.evil.example"),
        scope(host="192.0.2.1:8000"),
        scope(origin="https://evil.example"),
        scope(origin="http://localhost:3000"),
        scope(origin="null"),
        scope(sec_fetch_site="cross-site"),
        scope(sec_fetch_site="same-site"),
        two_hosts(b"localhost:8000", b"evil.example"),
        two_hosts(b"evil.example", b"localhost:8000"),
    ],
)
def test_a_stranger_is_never_the_local_operator(given):
    with pytest.raises(Unauthenticated):
        access().principal(given)


@pytest.mark.parametrize("listening", [("0.0.0.0",), ("::",), ("127.0.0.1", "192.0.2.7")])
def test_listening_for_others_everybody_needs_a_credential(listening):
    with pytest.raises(Unauthenticated):
        access(listening=listening).principal(scope())


def test_required_is_required_on_loopback_too():
    with pytest.raises(Unauthenticated):
        access("required").principal(scope())


def test_open_admits_everybody_but_other_sites_pages():
    everywhere = access("open", ("0.0.0.0",))
    assert everywhere.principal(scope(client="192.0.2.1", host="barograph.lan")) == OPERATOR
    with pytest.raises(Unauthenticated):
        everywhere.principal(scope(client="192.0.2.1", origin="https://evil.example"))


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", "JWT ", "Token ", "", "Bearer   "])
def test_every_form_of_the_header_is_understood(prefix):
    assert access().principal(scope(authorization=prefix + TOKEN)) == DEVICE
    assert access().principal(scope(authorization=prefix + "a.b.c")) == USER


@pytest.mark.parametrize("given", ["Bearer wrong", "Basic dTpw", "Bearer", "  "])
def test_a_wrong_credential_is_refused_where_none_would_do(given):
    with pytest.raises(Unauthenticated):
        access().principal(scope(authorization=given))


def test_a_browser_session_counts_but_not_for_another_site_s_form():
    cookie = "theme=dark; barograph_session=good"
    assert access("required").principal(scope(cookie=cookie)) == USER
    assert (
        access("required").principal(
            scope(cookie=cookie, method="GET", sec_fetch_site="cross-site")
        )
        == USER
    )
    with pytest.raises(Forbidden):
        access("required").principal(scope(cookie=cookie, origin="https://evil.example"))
    with pytest.raises(Unauthenticated):
        access("required").principal(scope(cookie="barograph_session=bad"))


def test_a_header_goes_before_a_cookie():
    given = scope(authorization="Bearer " + TOKEN, cookie="barograph_session=good")
    assert access().principal(given) == DEVICE


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8000", "localhost"),
        ("LocalHost", "localhost"),
        ("[::1]:8000", "::1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_host_header_s_name(host, name):
    assert host_name(host) == name
