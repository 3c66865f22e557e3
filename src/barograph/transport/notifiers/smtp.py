"""Notices by e-mail."""

import smtplib
import ssl
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from barograph.domain.errors import ConfigurationError, Forbidden, InvalidInput, Unavailable
from barograph.domain.user import Principal
from barograph.ports.notifier import Notice
from barograph.services.names import check_email

TIMEOUT_SECONDS = 30.0
_PORTS = {"smtp": 25, "smtps": 465}


class SmtpNotifier:
    """Sends notices through one SMTP server (RFC 5321)."""

    def __init__(self, url: str, sender: str, context: ssl.SSLContext | None = None) -> None:
        """`url` as the setting `smtp_url` says, `sender` as `mail_from`; `ConfigurationError`.

        `context` says whose certificates are trusted, by default those that the system trusts.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
            parts = parts._replace(netloc="")
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
            raise ConfigurationError(
                "smtp_url: use smtp://user:password@host:587 or smtps://user:password@host:465"
            )
        name, address = parseaddr(sender)
        try:
            check_email(address, "mail_from")
        except InvalidInput as error:
            raise ConfigurationError(f"smtp_url needs the address of who sends: {error}") from None
        self._host = parts.hostname
        self._port = port or _PORTS[parts.scheme]
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        user, _, domain = address.rpartition("@")
        self._sender = Address(name or "Barograph", user, domain)
        self._context = context or ssl.create_default_context()

    def check(self, principal: Principal, own: str | None, target: str) -> None:
        """Administrators write to anybody, others to themselves: this server sends no spam."""
        check_email(target)
        if not principal.is_admin and (own is None or own.casefold() != target.casefold()):
            raise Forbidden("reports go to your own address; others need an administrator")

    def send(self, target: str, notice: Notice) -> None:
        """Hand it to the server."""
        try:
            message = self._message(target, notice)
        except ValueError as error:
            raise InvalidInput.of(
                "email", f"this cannot be written as an e-mail: {error}"
            ) from None
        try:
            with self._connected() as server:
                server.send_message(message, str(self._sender.addr_spec), [target])
                # It has it; what goes wrong with the farewell changes nothing.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            self._refused(code, said)
        except smtplib.SMTPResponseException as error:
            self._refused(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            place = f"{self._host}:{self._port}"
            raise Unavailable(f"the mail server {place} cannot be used: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            server.ehlo_or_helo_if_needed()
            if not self._tls and server.has_extn("starttls"):
                server.starttls(context=self._context)
                self._secure(server)
            elif not self._tls and self._password:
                raise Unavailable(
                    f"the mail server {self._host}:{self._port} offers no encryption, and the "
                    "password is not sent without"
                )
            else:
                self._secure(server)
        except BaseException:
            server.close()
            raise
        return server

    def _secure(self, server: smtplib.SMTP) -> None:
        if self._user:
            server.login(self._user, self._password)

    def _refused(self, code: int, said: bytes | str) -> None:
        """RFC 5321, 4.2.1: 4yz may go well later, 5yz will not, a wrong password (535) is mended."""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        message = f"the mail server {self._host}:{self._port} said {code} {text}"
        if 500 <= code < 600 and code not in {530, 534, 535}:
            raise InvalidInput.of("email", message)
        raise Unavailable(message)

    def _message(self, target: str, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = target
        message["Subject"] = notice.subject
        message["Date"] = formatdate()
        # The same when it is sent again, so that a mail program shows it once.
        message["Message-ID"] = f"<{notice.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        message.set_content(notice.text)
        for one in notice.attachments:
            kind, _, rest = one.media_type.partition("/")
            message.add_attachment(
                one.content, maintype=kind, subtype=rest.partition(";")[0], filename=one.name
            )
        return message
