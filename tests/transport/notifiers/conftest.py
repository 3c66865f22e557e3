"""Servers that take what is sent: mail over SMTP, and calls of webhooks."""

import base64
import socketserver
import ssl
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme


class _Conversation(socketserver.StreamRequestHandler):
    """One SMTP session (RFC 5321), as far as a client that sends one mail goes."""

    def handle(self):
        post = self.server.post
        self.say("220 post.example")
        self.secure = False
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            post.heard.append(verb.upper())
            if post.replies.get(verb.upper()):
                self.say(post.replies[verb.upper()])
            elif verb.upper() == "EHLO":
                offers = ["post.example", "SIZE 50000000"]
                offers += ["STARTTLS"] if post.context and not self.secure else []
                offers += ["AUTH PLAIN"] if self.secure else []
                for offer in offers[:-1]:
                    self.say(f"250-{offer}")
                self.say(f"250 {offers[-1]}")
            elif verb.upper() == "STARTTLS":
                self.say("220 go ahead")
                self.request = post.context.wrap_socket(self.request, server_side=True)
                self.setup()
                self.secure = True
            elif verb.upper() == "AUTH":
                told = base64.b64decode(rest.partition(" ")[2]).split(b"\0")
                fits = told[1:] == [b"ann", b"p@ss word"]
                self.say("235 welcome" if fits else "535 wrong password")
            elif verb.upper() == "DATA":
                self.say("354 go on")
                self.take()
                self.say("250 kept")
            elif verb.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def finish(self):
        super().finish()
        self.request.close()  # which TLS put in the place of the server's own

    def take(self):
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b".") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.post.messages.append((self.secure, message))

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    def handle_error(self, request, client_address):
        """A client that does not believe the certificate leaves in the middle; so it should."""


class Post:
    """An SMTP server and what it got. `replies` makes it answer a command otherwise."""

    def __init__(self, context=None):
        self.context = context
        self.messages = []
        self.heard = []
        self.replies = {}
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.daemon_threads = True
        self._server.post = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def trust(authority):
    """What a client needs to believe the server."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def post():
    server = Post()
    yield server
    server.close()


@pytest.fixture
def safe_post(authority):
    """One that offers STARTTLS, and then asks for a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Post(context)
    yield server
    server.close()


class Hook:
    """A web server that takes what is posted, and answers what a test says."""

    def __init__(self):
        hook = self
        self.calls = []
        self.answers = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.calls.append((self.path, dict(self.headers.items()), body))
                self.send_response(hook.answers.pop(0) if hook.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?key=1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.close()
