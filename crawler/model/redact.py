"""Tells by its name whether a header holds a secret, and takes passwords from URLs.

A secret header is only sent to the origins of the seeds, must not stand literally in a
settings file, and is displayed as REDACTED. A header whose value a settings file gives
by reference (`env:`, `file:`) is secret too, whatever its name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from operator import itemgetter

REDACTED = "•••"
_MAX_VALUE = 2000
"""Characters of a header's value that are shown."""

_VALUE_OF = itemgetter(1)
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
        shown = without_userinfo(kind, value) if "@" in value else value
    return shown[:_MAX_VALUE]


# WHATWG: slashes and backslashes are equal before a host, and of special schemes they
# may even be missing; the last @ before the path ends the user and the password. In a
# text, two slashes begin a host only behind a scheme, or where no path can have them.
_IN_URL = re.compile(
    r"^(\s*(?:(?:https?|ftp|wss?):[/\\]*|[/\\]{2,}))[^/\\?#]*@", re.IGNORECASE
)
_IN_TEXT = re.compile(
    r"""(\b(?:https?|ftp|wss?):[/\\]+|(?<![^\s"'<=(,;])[/\\]{2,})"""
    r"""[^/\\?#\s"'<>]*@""",
    re.IGNORECASE,
)


def without_userinfo(header: str, value: str) -> str:
    """The value of `header` (lower case) without users and passwords of its URLs.

    >>> without_userinfo("location", "https://user:password@example.com/")
    'https://example.com/'
    """
    whole = header in ("location", "content-location")
    return (_IN_URL if whole else _IN_TEXT).sub(r"\1", value)


def headers_without_userinfo(
    headers: Collection[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    """The headers of a response without users and passwords of URLs, cookies as sent.

    No password of a redirect can so reach a log, a record, a message or a plug-in. The
    redirect is followed without it in any case.
    """
    if "@" not in "".join(map(_VALUE_OF, headers)):  # most often
        return tuple(headers)
    return tuple(
        [
            (header[0], without_userinfo(*header))
            if "@" in header[1] and header[0] != "set-cookie"
            else header
            for header in headers
        ]
    )


def _cookie(pair: str) -> str:
    """A cookie without a name is redacted as a whole."""
    name, equals, _ = pair.partition("=")
    return f"{name.strip()}={REDACTED}" if equals else REDACTED
