"""Which headers hold a secret, going by their names.

What is named so is sent to the origins of the seeds and to nobody else, is no literal
in a file of settings, and is shown as dots. What such a file names by reference
(`env:`, `file:`) counts as one too, whatever its name.
"""

from __future__ import annotations

REDACTED = "•••"

_WORDS = frozenset(
    {"auth", "authorization", "authentication", "cookie", "cookie2", "credential", "credentials",
     "jwt", "passwd", "password", "secret", "session", "sessionid", "token", "apikey", "authtoken"}
)  # fmt: skip


def is_secret(header: str) -> bool:
    """
    >>> is_secret("X-Api-Key"), is_secret("X-Author")
    (True, False)
    """
    words = header.lower().replace("_", "-").split("-")
    return not _WORDS.isdisjoint(words) or ("key" in words and "api" in words)
