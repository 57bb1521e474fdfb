"""The .netrc file: machine, login, password (as ftp, curl and wget read it). No I/O.

Ours and not the standard library's, because that one shows the words of a line it can't
read, and a password may be among them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from crawler.fetch.auth.credentials import Credentials
from crawler.model.errors import UsageError


def read_netrc(text: str, name: str) -> dict[str, Credentials]:
    """Credentials by host, "" for `default`; of several of one host the first counts.

    Raises UsageError with the line of the mistake.
    """
    found: dict[str, Credentials] = {}
    words = _words(text, name)
    host: str | None = None
    entry: dict[str, str] = {}
    for number, word in words:
        if word in ("machine", "default"):
            _keep(found, host, entry)
            host = next(words, (number, ""))[1].lower() if word == "machine" else ""
            entry = {}
        elif word in ("login", "password", "account") and host is not None:
            entry[word] = next(words, (number, ""))[1]
        else:
            raise UsageError(
                f"{name}:{number}: machine, default, login or password is expected"
            )
    _keep(found, host, entry)
    return found


def _keep(
    found: dict[str, Credentials], host: str | None, entry: dict[str, str]
) -> None:
    if host is not None and "login" in entry:
        found.setdefault(host, Credentials(entry["login"], entry.get("password", "")))


def _words(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Each word with the number of its line; a macro goes to the next empty line."""
    macro = False
    for number, line in enumerate(text.splitlines(), 1):
        macro = macro and bool(line.strip())
        if macro:
            continue
        try:
            words = shlex.split(line, comments=line.lstrip().startswith("#"))
        except ValueError:
            raise UsageError(f"{name}:{number}: a quote without its end") from None
        macro = words[:1] == ["macdef"]
        if not macro:
            yield from ((number, word) for word in words)
