"""Credentials, and Basic authentication (RFC 7617). No I/O."""

from __future__ import annotations

from base64 import b64encode

from msgspec import Struct


class Credentials(Struct, frozen=True):
    """A user name and a password, which `repr` does not show."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r})"


def parse_credentials(text: str) -> Credentials:
    """Parse `USER[:PASSWORD]`; a user has no colon (RFC 7617 section 2)."""
    user, _, password = text.partition(":")
    return Credentials(user, password)


def basic(credentials: Credentials) -> str:
    """The value of a Basic Authorization header."""
    pair = f"{credentials.user}:{credentials.password}".encode()
    return "Basic " + b64encode(pair).decode("ascii")
