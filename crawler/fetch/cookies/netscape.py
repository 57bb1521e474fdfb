"""Cookies as the text file that Netscape began and that curl, wget and yt-dlp still
share. No I/O.

Seven fields in a line, with tabs between: domain, whether it covers subdomains, path,
whether it needs TLS, expiry (seconds since the epoch, 0: none), name, value.
`#HttpOnly_` before the domain is curl's addition; other lines that begin with # are
comments. SameSite has no place in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.fetch.cookies import MAX_COOKIE, Cookie
from crawler.model.errors import UsageError

MAX_LINES = 100_000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HTTP_ONLY = "#HttpOnly_"
_HEAD = "# Netscape HTTP Cookie File\n# Written by orbweb. It holds secrets: whoever has it is you.\n\n"


def read_netscape(data: bytes, name: str) -> list[Cookie]:
    """The cookies of a file called `name`. Raises UsageError with the line of the first
    mistake, and never with what stands there."""
    found = []
    for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
        if number > MAX_LINES:
            raise UsageError(f"{name}: more than {MAX_LINES} lines")
        http_only = line.startswith(_HTTP_ONLY)
        line = line.removeprefix(_HTTP_ONLY).removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        try:
            found.append(_cookie(line, http_only))
        except ValueError as error:
            raise UsageError(f"{name}:{number}: {error}") from None
    return found


def _cookie(line: str, http_only: bool) -> Cookie:
    fields = line.split("\t")
    if len(fields) == 6:  # an empty value, and an editor that cuts line ends
        fields.append("")
    if len(fields) != 7:
        raise ValueError(
            "no line of a cookie file in Netscape's format: seven fields with tabs between"
        )
    domain, subdomains, path, secure, expires, name, value = fields
    if len(name) + len(value) > MAX_COOKIE or not domain:
        raise ValueError(f"no domain, or a cookie longer than {MAX_COOKIE} bytes")
    if _CONTROL.search(line):
        raise ValueError("a control character")
    seconds = float(_number(expires))
    return Cookie(
        name,
        value,
        domain.removeprefix(".").lower().strip("[]"),
        path if path.startswith("/") else "/",
        seconds or None,
        host_only=not _flag(subdomains) and not domain.startswith("."),
        secure=_flag(secure),
        http_only=http_only,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError("the fifth field, the expiry, is no number of seconds")
    return int(text)


def _flag(text: str) -> bool:
    if text.upper() not in ("TRUE", "FALSE"):
        raise ValueError("the second and the fourth field must be TRUE or FALSE")
    return text.upper() == "TRUE"


def write_netscape(cookies: Iterable[Cookie]) -> bytes:
    """The file. Cookies that end with the crawl are in it too, as with curl; those that
    hold a tab can't be."""
    lines = [_line(cookie) for cookie in cookies]
    return (_HEAD + "".join(line for line in lines if line.count("\t") == 6)).encode(
        "latin-1"
    )


def _line(cookie: Cookie) -> str:
    fields = (
        ("" if cookie.host_only else ".") + cookie.domain,
        "FALSE" if cookie.host_only else "TRUE",
        cookie.path,
        "TRUE" if cookie.secure else "FALSE",
        str(int(cookie.expires or 0)),
        cookie.name,
        cookie.value,
    )
    return (_HTTP_ONLY if cookie.http_only else "") + "\t".join(fields) + "\n"
