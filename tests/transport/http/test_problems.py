"""Every error becomes a problem document that says what was wrong."""

import json
import logging

import pytest

from barograph.domain.errors import (
    BarographError,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidInput,
    MalformedInput,
    NotFound,
    Overloaded,
    Problem,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from barograph.transport.http.problems import MEDIA_TYPE, problem_response


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (MalformedInput("x"), 400, None),
        (Unauthenticated("x"), 401, None),
        (Forbidden("x"), 403, None),
        (NotFound("x"), 404, None),
        (Conflict("x"), 409, None),
        (TooLarge("x"), 413, None),
        (InvalidInput.of("", "x"), 422, None),
        (TooManyRequests("x", 2.1), 429, b"3"),
        (TooManyRequests("x", 0.0), 429, b"1"),
        (Unavailable("x"), 503, b"1"),
        (Overloaded("x"), 503, b"1"),
        (StorageFull("x"), 507, b"30"),
        (ConfigurationError("x"), 500, None),
        (BarographError("x"), 500, None),
    ],
)
def test_each_error_has_its_status_and_headers(error, status, retry_after):
    answered, headers, body = problem_response(error)
    named = dict(headers)
    document = json.loads(body)
    assert answered == status == document["status"]
    assert document["detail"] == "x"
    assert named[b"content-type"] == MEDIA_TYPE.encode()
    assert named[b"content-length"] == b"%d" % len(body)
    assert named.get(b"retry-after") == retry_after
    assert (b"www-authenticate" in named) is (status == 401)


def test_an_input_error_names_every_place():
    error = InvalidInput([Problem("[0].x", "too big"), Problem("name", "missing")])
    document = json.loads(problem_response(error)[2])
    assert document["errors"] == [
        {"at": "[0].x", "message": "too big"},
        {"at": "name", "message": "missing"},
    ]


def test_text_that_utf8_cannot_write_still_makes_a_document():
    assert json.loads(problem_response(NotFound("\ud800"))[2])["detail"] == "\ud800"


def test_the_dealers_clients_find_the_message_under_error():
    error = Unauthenticated("no")
    assert json.loads(problem_response(error, "/auth")[2])["Error"] == "no"
    assert json.loads(problem_response(error, "/register")[2])["Error"] == "no"
    assert "Error" not in json.loads(problem_response(error, "/api/users")[2])


def test_wrong_places_in_a_body_are_named_as_the_sender_wrote_them(api, client):
    @api.post("/try")
    def try_it(body: dict[str, list[int]]) -> None: ...

    answer = client.post("/try", json={"a": [1, "x"], "b": 5})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert [error["at"] for error in answer.json()["errors"]] == ["a[1]", "b"]
    assert answer.json()["detail"] == "a[1]: this should be a whole number (and 1 more)"


UNREADABLE = [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"nul", b'{"a" 1}']
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("body", [*UNREADABLE[1:], b"9" * 10_000])
def test_a_body_that_cannot_be_read_is_a_bad_request(client, body):
    answer = client.post("/auth/refresh", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_sign_in_that_cannot_be_read_is_told_to_the_dealers_clients_too(client, body):
    answer = client.post("/auth", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["Error"] == answer.json()["detail"]


def test_a_missing_body_is_asked_for(client):
    answer = client.post("/auth/refresh")
    assert answer.status_code == 422
    assert "a JSON body is required" in answer.json()["detail"]


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").json()["title"] == "Not Found"
    answer = client.get("/auth")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert client.post("/api/users/1").headers["allow"] == "GET, HEAD, PATCH, DELETE"
    assert client.patch("/api/users/me").headers["allow"] == "GET, HEAD"


def test_what_nobody_expected_is_logged_whole_and_told_to_nobody(api, client, caplog):
    @api.get("/fails")
    def fails() -> None:
        raise ZeroDivisionError("the secret is 42")

    with caplog.at_level(logging.ERROR, "barograph"):
        answer = client.get("/fails")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "42" not in answer.text
    [record] = [r for r in caplog.records if r.name.startswith("barograph")]
    assert "the secret is 42" in str(record.exc_info)


def test_the_schema_describes_the_document_and_every_answer_has_it(api):
    schema = api.openapi()
    assert schema is api.openapi()
    document = schema["components"]["schemas"]["ProblemDocument"]
    assert {"type", "title", "status", "detail", "errors"} <= document["properties"].keys()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == [MEDIA_TYPE], (path, method, status)
            takes_input = "requestBody" in operation or operation.get("parameters")
            assert not takes_input or "422" in operation["responses"], (path, method)


def test_no_problem_document_leaves_null_members(client):
    assert None not in client.get("/nothing").json().values()


@pytest.mark.parametrize("told", [True, False])
def test_a_body_over_the_limit_is_refused_on_every_route(core, application, told):
    import asyncio

    import httpx

    async def post():
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            body = b'{"name": "' + b"x" * core.limits.body_bytes_max + b'"}'

            async def pieces():
                for at in range(0, len(body), 1 << 20):
                    yield body[at : at + (1 << 20)]

            headers = {"content-type": "application/json"}
            return await client.post(
                "/api/devices", content=body if told else pieces(), headers=headers
            )

    answer = asyncio.run(post())
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_defect_in_the_way_of_readings_is_a_problem_too(admin, core, fleet, caplog):
    device = fleet.device()

    class Broken:
        def known(self, device, batch):
            raise RuntimeError("nobody foresaw this")

    core.ingest = Broken()
    answer = admin.post(f"/api/devices/{device.id}/data", json={"x": 1})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "something went wrong inside Barograph; its log says what"
    assert "nobody foresaw this" in caplog.text
