"""Passwords: which are acceptable, and their Argon2id hashes (RFC 9106).

The cost is OWASP's first choice for Argon2id: 19 MiB of memory, two passes, one lane. That takes
30 ms on a small server and 0.2 s on a Raspberry Pi; and since at most `concurrent_max` hashes are
computed at a time, no more than 38 MiB, however many people sign in at once.
"""

import base64
import secrets
import unicodedata
from importlib.resources import files
from threading import BoundedSemaphore

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from barograph.domain.errors import InvalidInput, Overloaded
from barograph.domain.limits import Limits


class Passwords:
    """Judges, hashes and verifies passwords."""

    def __init__(
        self,
        limits: Limits,
        *,
        memory_kib: int = 19 * 1024,
        passes: int = 2,
        concurrent_max: int = 2,
        waiting_max: int = 16,
    ) -> None:
        self._limits = limits
        self._hasher = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID
        )
        self._common = _common_passwords()
        self._running = BoundedSemaphore(concurrent_max)
        # Waiting is bounded too: those who wait hold threads that others need.
        self._places = BoundedSemaphore(concurrent_max + waiting_max)
        # Nobody knows what hashes to this, and comparing with it costs what any comparison does.
        self._nobodys = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${_random(16)}${_random(32)}"

    def check(self, password: str, *, at: str = "password", names: tuple[str, ...] = ()) -> None:
        """Raises `InvalidInput` for a password that is too short, too long or too easy to guess.

        `names` are those of its owner, which are guessed first.
        """
        low, high = self._limits.password_chars_min, self._limits.password_chars_max
        if not low <= len(password) <= high:
            raise InvalidInput.of(at, f"a password has {low} to {high} characters")
        plain = password.casefold()
        if plain in self._common or len(set(plain)) == 1:
            raise InvalidInput.of(
                at, "this password is among the first that are guessed: use a less common one"
            )
        if plain in {name.casefold() for name in names}:
            raise InvalidInput.of(at, "a password is not the name or e-mail address of its owner")

    def hash(self, password: str) -> str:
        """The hash to keep; raises `Overloaded` while too many passwords are being hashed."""
        with _Place(self._places, self._running):
            return self._hasher.hash(_bytes(password))

    def verify(self, password: str, kept: str | None) -> bool:
        """Whether `kept` is a hash of `password`; takes as long where nothing is kept.

        Raises `Overloaded` while too many passwords are being hashed.
        """
        if len(password) > self._limits.password_chars_max:
            return False
        with _Place(self._places, self._running):
            try:
                self._hasher.verify(kept or self._nobodys, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(kept)


class _Place:
    """A place among those who wait, then among those who run."""

    def __init__(self, places: BoundedSemaphore, running: BoundedSemaphore) -> None:
        self._places = places
        self._running = running

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise Overloaded("too many passwords are being checked: try again in a second")
        self._running.acquire()

    def __exit__(self, *_: object) -> None:
        self._running.release()
        self._places.release()


def _random(size: int) -> str:
    """Random bytes as an encoded hash has them."""
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def _bytes(password: str) -> bytes:
    # One keyboard writes é as one character, another as two: NIST SP 800-63B-4, 3.1.1.2.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _common_passwords() -> frozenset[str]:
    text = files("barograph.services").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(
        word for line in text.splitlines() if not line.startswith("#") for word in line.split()
    )
