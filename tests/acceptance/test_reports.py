"""Reports of a running server: made as the documentation says, sent, and made again after a kill."""

import hmac
import json
import re
import time
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from tests.transport.notifiers.conftest import Hook, Post
from tests.waiting import PATIENCE_SECONDS

DOCS = Path(__file__).parents[2] / "docs" / "reports.md"
SECRET = "at least sixteen characters"


def until(look, seconds=60):
    """What `look` finds, as soon as it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


@pytest.fixture
def post():
    server = Post()
    yield server
    server.close()


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.close()


def documented(heading):
    """The JSON body of the curl call below a heading of the page."""
    text = DOCS.read_text().partition(heading)[2]
    return json.loads(re.search(r"-d '(.*?)'", text)[1])


def test_a_scheduled_report_is_made_kept_mailed_and_announced(serve, post, hook):
    server = serve(
        BAROGRAPH_SMTP_URL=f"smtp://127.0.0.1:{post.port}",
        BAROGRAPH_MAIL_FROM="reports@example.org",
        BAROGRAPH_WEBHOOKS=json.dumps({"office": hook.url}),
        BAROGRAPH_WEBHOOK_SECRET=SECRET,
    )
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        client.post("/api/devices", json={"name": "Kitchen", "key": "kitchen"}).raise_for_status()
        client.post("/api/devices/kitchen/data", json={"x": 21.5}).raise_for_status()
        asked = documented("## On a schedule")
        asked |= {"email": ["ann@example.org"], "webhook": ["office"], "formats": ["pdf", "csv"]}
        asked["question"] |= {"period": "24h", "interval": "1h"}
        made = client.post("/api/schedules", json=asked)
        assert made.status_code == 201, made.text
        client.post(f"/api/schedules/{made.json()['id']}/run").raise_for_status()
        ((_, mail),) = until(lambda: post.messages)
        ((_, headers, body),) = until(lambda: hook.calls)
        report = json.loads(body)["report_id"]
        sent = until(
            lambda: (
                [
                    one["status"]
                    for one in client.get(f"/api/reports/{report}/deliveries").json()
                    if one["status"] == "sent"
                ]
                == ["sent", "sent"]
            )
        )
    assert sent
    assert [part.get_filename() for part in mail.iter_attachments()] == [
        f"report-{report}.pdf",
        f"report-{report}.csv",
    ]
    example = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[1]
    names = {}
    exec(example, names)
    signature = headers["X-Barograph-Signature"]
    assert names["is_from_barograph"](SECRET, signature, body)
    assert not names["is_from_barograph"]("another secret", signature, body)
    stamp = re.match(r"t=(\d+),", signature)[1].encode()
    assert hmac.new(SECRET.encode(), stamp + b"." + body, sha256).hexdigest() in signature


def test_the_documented_call_makes_a_report_which_outlives_a_kill(serve):
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        client.post("/api/devices", json={"name": "Kitchen", "key": "kitchen"}).raise_for_status()
        job = client.post("/api/reports", json=documented("# Reports")).json()["job_id"]
        result = until(lambda: client.get(f"/api/jobs/{job}").json()["result"])
        page = client.get(f"/api/reports/{result['report_id']}/html").content
    server.kill()
    server = serve()
    again = httpx.get(
        f"{server.url}/api/reports/{result['report_id']}/html", timeout=PATIENCE_SECONDS
    ).content
    assert again == page


def test_settings_of_mail_and_webhooks_that_cannot_work_end_the_start(serve):
    for setting in (
        {"BAROGRAPH_SMTP_URL": "mail.example.org"},
        {"BAROGRAPH_WEBHOOKS": '{"a": "b"}'},
    ):
        with pytest.raises(AssertionError, match=r"smtp_url|webhooks\.a"):
            serve(**setting)
