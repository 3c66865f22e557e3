"""What the services say when they refuse something, as the reader of a page reads it.

They say it in English, for programs as well: in lower case, with the field in front, and with what
was refused within. What pages can meet is listed here, so that it is known to be translated.
"""

import re
from collections.abc import Mapping

from barograph.transport.web.language import Language, marked

_FIELDS: Mapping[str, str] = {
    "email": marked("E-mail"),
    "key": marked("Key"),
    "kind": marked("Kind"),
    "name": marked("Name"),
    "retention": marked("How long readings are kept"),
    "role": marked("Role"),
    "username": marked("User name"),
}
"""What a form calls the fields whose messages do not say which one is meant."""

_SILENT = frozenset({"", "old_password", "password", "user"})
"""Fields whose messages say it themselves."""

_REFUSALS = (
    marked("the username or the password is not right"),
    marked("this session is over: sign in again"),
    marked("too many failed sign-ins of this user: try again in %(seconds)s seconds"),
    marked("too many failed sign-ins from this address: try again in %(seconds)s seconds"),
    marked("too many registrations from this address: try again in %(seconds)s seconds"),
    marked("too many passwords are being checked: try again in a second"),
    marked("this set-up link is not valid: restart Barograph for a new one"),
    marked("there is an administrator already: sign in"),
    marked("this needs an administrator"),
    marked("this needs an administrator: registration is closed to others"),
    marked("this is the last administrator: make another one first"),
    marked("this username is taken already: choose another, or sign in"),
    marked("this e-mail address is taken already: choose another, or sign in"),
    marked("changing the password needs the old one, and this is not it"),
    marked("a password has %(low)s to %(high)s characters"),
    marked("this password is among the first that are guessed: use a less common one"),
    marked("a password is not the name or e-mail address of its owner"),
    marked("%(text)s is not an e-mail address, such as name@example.org"),
    marked("use 1 to %(most)s characters"),
    marked("use printable characters, without blanks around them"),
    marked("use one of %(names)s"),
    marked("only a browser's session is called %(name)s"),
    marked("a user has at most %(most)s tokens: revoke one first"),
    marked("there is no such token"),
    marked("there is no such user"),
    marked("there is no user %(name)s"),
    marked("there is no such device"),
    marked("there is no such asset"),
    marked("the %(kind)s %(name)s exists already"),
    marked("an asset %(name)s of this kind exists already"),
    marked("there is no such backup"),
    marked("there is no such dashboard"),
    marked("there is no such report"),
    marked("a viewer reads only"),
    marked("this device belongs to %(name)s already"),
    marked("this device is shared with you: changing it is its owner's to do"),
    marked("this device is shared with you to read, not to write"),
    marked("this dashboard belongs to %(name)s already"),
    marked("this dashboard is shared with you to read, not to change"),
    marked("this dashboard is shared with you: that is its owner's to do"),
    marked("this link leads nowhere: it was revoked, or has expired"),
    marked("handing a device over needs an administrator"),
    marked("a key begins with a letter or digit and has at most 128 letters, digits and . _ : / -"),
    marked("the device key %(key)s is taken"),
    marked("the key %(key)s is the id of another device: choose another key"),
    marked("times are rounded to at most a day"),
    marked("use a number and ms, s, m, h, d or w, such as 5m or 30d"),
    marked("say how long, such as 365d; 0 keeps all"),
    marked("keep readings for an hour at least and a hundred years at most; 0 is ever"),
    marked("a backup is being made already: wait for it"),
    marked("the server is shutting down: send again later"),
    marked("more is arriving than can be stored: send again after a pause"),
)
_VALUE = re.compile(r"%\\\((\w+)\\\)s|%\((\w+)\)s")


def _pattern(refusal: str) -> re.Pattern[str]:
    return re.compile(_VALUE.sub(r"(?P<\1>.+)", re.escape(refusal)), re.DOTALL)


_WITH_VALUES = tuple((_pattern(text), text) for text in _REFUSALS if "%(" in text)


def refusal(language: Language, message: str) -> str:
    """`message` as a sentence, in the reader's language where there is a translation."""
    at, separator, rest = message.partition(": ")
    if not (separator and (at in _FIELDS or at in _SILENT)):
        return _sentence(_translated(language, message))
    said = _translated(language, rest)
    if at in _FIELDS:
        return _sentence(f"{language.translations.gettext(_FIELDS[at])}: {said}")
    return _sentence(said)


def _translated(language: Language, message: str) -> str:
    found = language.translations.gettext(message)
    if found != message:
        return found
    for pattern, text in _WITH_VALUES:
        match = pattern.fullmatch(message)
        if match is not None:
            return language.translations.gettext(text) % match.groupdict()
    return message


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:] + ("" if said[-1:] in {*".:!?…", ""} else ".")
