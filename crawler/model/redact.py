"""Tells by its name whether a header holds a secret.

A secret header is only sent to the origins of the seeds, must not stand literally in a
settings file, and is displayed as REDACTED. A header whose value a settings file gives
by reference (`env:`, `file:`) is secret too, whatever its name.
"""

from __future__ import annotations

from collections.abc import Collection

REDACTED = "•••"
_MAX_VALUE = 2000
"""Characters of a header's value that are shown."""

_WORDS = frozenset({
    "apikey", "auth", "authentication", "authorization", "authtoken", "cookie",
    "cookie2", "credential", "credentials", "jwt", "passwd", "password", "secret",
    "session", "sessionid", "token",
})  # fmt: skip


def is_secret(header: str) -> bool:
    """Whether a header with the name `header` holds a secret.

    >>> is_secret("X-Api-Key"), is_secret("X-Author")
    (True, False)
    """
    words = header.lower().replace("_", "-").split("-")
    return not _WORDS.isdisjoint(words) or ("key" in words and "api" in words)


def redact(name: str, value: str, secret: Collection[str] = ()) -> str:
    """The value of the header `name` without its secrets.

    The scheme of credentials and the names of cookies stay. `secret` are further names
    (lower case) of headers that hold one.
    """
    kind = name.lower()
    if kind == "set-cookie":
        cookie, semicolon, rest = value.partition(";")
        shown = _cookie(cookie) + semicolon + rest
    elif kind == "cookie":
        shown = "; ".join(map(_cookie, value.split(";")))
    elif kind in secret or is_secret(kind):
        words = value.split(maxsplit=1)
        scheme = kind.endswith("authorization") and len(words) > 1
        shown = f"{words[0]} {REDACTED}" if scheme else REDACTED
    else:
        shown = value
    return shown[:_MAX_VALUE]


def _cookie(pair: str) -> str:
    """A cookie without a name is redacted as a whole."""
    name, equals, _ = pair.partition("=")
    return f"{name.strip()}={REDACTED}" if equals else REDACTED
