"""What is tried again, when, and how often."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.client import (
    NEVER,
    InvalidInput,
    NoAnswer,
    NotFound,
    Retry,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
)

DONE = {"accepted": 1}


def answer(status, body=None, **headers):
    return httpx.Response(
        status, json=body or {}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.mark.parametrize(
    "failure",
    [
        answer(503),
        answer(507),
        answer(429),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("broke"),
    ],
)
def test_a_write_is_sent_again_with_the_same_body(scripted, failure):
    client, script = scripted(failure, answer(201, DONE))
    assert client.write("kitchen", {"temperature": 21.5}) == 1
    first, second = (request.content for request in script.requests)
    assert first == second
    assert b'"ts"' in first


def test_what_is_wrong_is_not_sent_again(scripted):
    client, script = scripted(
        answer(422, {"detail": "no", "errors": [{"at": "x[0]", "message": "m"}]})
    )
    with pytest.raises(InvalidInput) as caught:
        client.write("kitchen", {"x": 1})
    assert caught.value.errors[0].at == "x[0]"
    assert len(script.requests) == 1


@pytest.mark.parametrize("failure", [answer(503), httpx.ReadTimeout("late")])
def test_what_would_be_done_twice_is_not_sent_again(scripted, failure):
    client, script = scripted(failure)
    with pytest.raises((Unavailable, NoAnswer)):
        client.create_device("Kitchen")
    assert len(script.requests) == 1


def test_it_gives_up_with_the_last_error(scripted):
    client, script = scripted(*[answer(503, {"detail": "full"})] * 6)
    with pytest.raises(Unavailable, match="full"):
        client.latest("kitchen")
    assert len(script.requests) == 6


def test_never_means_once(scripted):
    client, script = scripted(answer(429, Retry_After="7"), retry=NEVER)
    with pytest.raises(TooManyRequests) as caught:
        client.latest("kitchen")
    assert caught.value.retry_after == 7
    assert len(script.requests) == 1


def test_a_device_that_an_unanswered_request_removed_is_removed(scripted):
    client, _ = scripted(httpx.ReadTimeout("late"), answer(404, {"detail": "no such device"}))
    assert client.delete_device("kitchen") is None


def test_what_says_more_than_that_it_is_done_is_not_taken_for_done(scripted):
    for remove in ("delete_readings", "cancel_job"):
        client, _ = scripted(httpx.ReadTimeout("late"), answer(404, {"detail": "gone"}))
        with pytest.raises(NotFound):
            getattr(client, remove)(7)


def test_something_else_that_answers_is_told_apart(scripted):
    client, _ = scripted(httpx.Response(200, text="<html>hello</html>"))
    with pytest.raises(UnexpectedAnswer, match="/api/users/me"):
        client.me()


def test_a_proxys_error_page_is_still_an_error(scripted):
    client, _ = scripted(httpx.Response(502, text="<h1>Bad gateway</h1>"))
    with pytest.raises(Exception, match=r"502.*Bad gateway") as caught:
        client.me()
    assert caught.value.status == 502


@given(st.integers(1, 20), st.floats(0, 1), st.none() | st.floats(0, 1e6))
def test_pauses_are_bounded_grow_and_honour_the_server(attempt, chance, retry_after):
    retry = Retry(attempts=10)
    pause = retry.pause(attempt, chance, retry_after)
    if attempt >= 10:
        assert pause is None
        return
    assert 0 < pause <= retry.pause_seconds_max
    assert pause >= min(retry_after or 0, retry.pause_seconds_max)
    assert pause >= retry.pause(1, 1.0)
    assert retry.pause(attempt, 0.0) <= (retry.pause(attempt + 1, 0.0) or 1e9)
