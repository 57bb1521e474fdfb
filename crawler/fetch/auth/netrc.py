"""Parses .netrc files, as ftp, curl and wget do. No I/O.

The standard library's parser is not used, because its error messages quote the line
that it cannot parse, which may contain a password.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from crawler.fetch.auth.credentials import Credentials
from crawler.model.errors import UsageError


def read_netrc(text: str, name: str) -> dict[str, Credentials]:
    """Credentials by host, "" for `default`; the first entry of a host wins.

    Raises UsageError with `name` and the number of the bad line.
    """
    found: dict[str, Credentials] = {}
    words = _words(text, name)
    host: str | None = None
    entry: dict[str, str] = {}
    for number, word in words:
        if word in ("machine", "default"):
            _add(found, host, entry)
            host = next(words, (number, ""))[1].lower() if word == "machine" else ""
            entry = {}
        elif word in ("login", "password", "account") and host is not None:
            entry[word] = next(words, (number, ""))[1]
        else:
            raise UsageError(
                f"{name}:{number}: expected machine, default, login or password"
            )
    _add(found, host, entry)
    return found


def _add(
    found: dict[str, Credentials], host: str | None, entry: dict[str, str]
) -> None:
    if host is not None and "login" in entry:
        found.setdefault(host, Credentials(entry["login"], entry.get("password", "")))


def _words(text: str, name: str) -> Iterator[tuple[int, str]]:
    """The words with their line numbers, without macros, which end at an empty line."""
    macro = False
    for number, line in enumerate(text.splitlines(), 1):
        macro = macro and bool(line.strip())
        if macro:
            continue
        try:
            words = shlex.split(line, comments=line.lstrip().startswith("#"))
        except ValueError:
            raise UsageError(f"{name}:{number}: missing closing quote") from None
        macro = words[:1] == ["macdef"]
        if not macro:
            yield from ((number, word) for word in words)
