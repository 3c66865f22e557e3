"""Clients of servers that answer as a test wants, and of a real one."""

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.client import Client, Retry

QUICK = Retry(pause_seconds=0.001, pause_seconds_max=0.002)


class Script(httpx.BaseTransport):
    """Answers one request after the other as the script says, and notes what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def handle_request(self, request):
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def scripted():
    """`scripted(*answers)` is a client of a server with that script, and the script."""
    clients = []

    def make(*answers, retry=QUICK, **options):
        script = Script(*answers)
        clients.append(Client("http://barograph", retry=retry, transport=script, **options))
        return clients[-1], script

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(server):
    """A client of a real server, as its local operator."""
    with Client(server.url, timeout=PATIENCE_SECONDS) as client:
        yield client
