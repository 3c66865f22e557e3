import pytest


@pytest.fixture
def anna(fleet):
    return fleet.user("anna")


@pytest.fixture
def client(stranger, sign_in, anna):
    stranger.headers = sign_in(anna)
    return stranger


@pytest.fixture
def ask(client, fleet, anna):
    device = fleet.device(owner=anna)

    def ask():
        return client.post("/api/analytics/jobs", json={"device": device.id}).json()["id"]

    return ask


def test_jobs_are_listed_newest_first_without_their_results(core, client, ask):
    jobs = [ask() for _ in range(3)]
    core.jobs.run("me")
    page = client.get("/api/jobs/", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [jobs[2], jobs[1]]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
    assert "result" not in page["items"][0]


def test_a_job_tells_what_was_asked_but_not_by_whom(client, ask):
    job = client.get(f"/api/jobs/{ask()}").json()
    assert (job["status"], job["progress"], job["result"]) == ("queued", 0.0, None)
    assert job["question"]["stats"] == ["min", "max", "count", "sum", "median"]
    assert "asker" not in job["question"]


def test_a_job_is_called_off(core, client, ask):
    job = ask()
    assert client.delete(f"/api/jobs/{job}").json()["status"] == "cancelled"
    assert client.delete(f"/api/jobs/{job}").status_code == 200
    assert not core.jobs.run("me")


def test_another_users_job_is_not_found(client, sign_in, fleet, ask):
    path = f"/api/jobs/{ask()}"
    client.headers = sign_in(fleet.user("boris"))
    assert client.get(path).status_code == client.delete(path).status_code == 404
    assert client.get("/api/jobs").json()["total"] == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/jobs/999", 404),
        (f"/api/jobs/{10**30}", 422),
        ("/api/jobs/abc", 404),
        ("/api/jobs?limit=0", 422),
    ],
)
def test_what_is_not_a_job_is_refused(client, path, status):
    assert client.get(path).status_code == status
