"""The text of a credential: what is handed out once, and the digest that is kept of it."""

import secrets
from hashlib import sha256
from string import ascii_letters

LETTERS = 20
"""Letters of a token: 114 random bits, and the shape that existing clients expect."""

BROWSER_SESSION = "browser session"
"""The name under which a browser's session stands among its user's tokens."""


def new_token() -> str:
    """A fresh secret of 20 letters, A-Z and a-z."""
    return "".join(secrets.choice(ascii_letters) for _ in range(LETTERS))


def is_token(text: str) -> bool:
    """Whether `text` has the shape of a token."""
    return len(text) == LETTERS and text.isascii() and text.isalpha()


def digest_of(token: str) -> bytes:
    """The SHA-256 under which the catalog knows the token."""
    return sha256(token.encode("ascii")).digest()
