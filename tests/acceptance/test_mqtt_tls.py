"""MQTT over TLS: what is served, and what is said where it cannot be."""

import signal
import socket
import ssl
import subprocess

import pytest
import trustme
from tests.waiting import PATIENCE_SECONDS, until


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """The paths of a certificate and its key."""
    return write(authority, tmp_path)


def write(authority, directory):
    made = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key


def settings(certificate, key):
    return {
        "BAROGRAPH_MQTT_TLS_CERTIFICATE": str(certificate),
        "BAROGRAPH_MQTT_TLS_KEY": str(key),
        "BAROGRAPH_MQTT_TLS_PORT": "0",
    }


def serial(server, authority):
    """The number of the certificate that the server shows."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", server.mqtt_tls_port), PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_used_after_sighup_and_a_bad_one_is_not(serve, authority, files):
    server = serve(**settings(*files))
    first = serial(server, authority)
    renewed = write(authority, files[0].parent)
    assert serial(server, authority) == first
    server.process.send_signal(signal.SIGHUP)
    second = until(lambda: (shown := serial(server, authority)) != first and shown)
    renewed[1].write_bytes(b"nothing")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "is not renewed" in server.log.read_text())
    assert "mqtt_tls_key" in server.log.read_text()
    assert serial(server, authority) == second


def test_plain_bytes_on_the_port_of_tls_are_no_connect(serve, files):
    server = serve(**settings(*files))
    with socket.create_connection(("127.0.0.1", server.mqtt_tls_port), PATIENCE_SECONDS) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00")
        assert not plain.recv(100).startswith(b"\x20")


def test_mqtt_without_tls_can_be_switched_off(serve, authority, files):
    server = serve(**settings(*files), BAROGRAPH_MQTT_PLAIN="false")
    assert server.mqtt_port is None
    assert serial(server, authority)


def _encrypted(files):
    plain = files[1].rename(files[1].with_name("plain.pem"))
    options = ["-in", plain, "-out", files[1], "-aes256", "-passout", "pass:x"]
    subprocess.run(["openssl", "pkey", *options], check=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: files[0].unlink(), "certificate.pem: No such file"),
        (lambda files: files[1].unlink(), "key.pem: No such file"),
        (lambda files: files[0].write_text("x"), "there is not a certificate in PEM in it"),
        (lambda files: files[1].write_text("x"), "there is not a private key in PEM in it"),
        (
            lambda files: files[1].write_bytes(trustme.CA().private_key_pem.bytes()),
            "this is not the key of",
        ),
        (_encrypted, "the key is encrypted"),
    ],
    ids=["no-certificate", "no-key", "empty-certificate", "empty-key", "other-key", "encrypted"],
)
def test_files_that_cannot_work_are_named_at_the_start(serve, files, damage, message):
    damage(files)
    with pytest.raises(AssertionError) as refused:
        serve(**settings(*files))
    assert message in " ".join(str(refused.value).split())


def test_a_certificate_without_its_key_is_refused(serve, files):
    with pytest.raises(AssertionError, match="mqtt_tls_key is not set"):
        serve(BAROGRAPH_MQTT_TLS_CERTIFICATE=str(files[0]), BAROGRAPH_MQTT_TLS_PORT="0")
