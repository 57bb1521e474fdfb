"""Netscape's cookies.txt format, which curl, wget and yt-dlp still share. No I/O.

A line has seven fields, separated by tabs: the domain, whether the cookie covers
subdomains, the path, whether it requires TLS, the expiry (seconds since the epoch, 0:
none), the name and the value. `#HttpOnly_` before the domain is curl's extension; other
lines that begin with # are comments. The format cannot express SameSite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.fetch.cookies.cookie import MAX_COOKIE, Cookie
from crawler.model.errors import UsageError

MAX_LINES = 100_000
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that no cookie has (RFC 6265bis section 5.6)."""
_HTTP_ONLY = "#HttpOnly_"
_HEAD = (
    "# Netscape HTTP Cookie File\n"
    "# Written by orbweb. Keep it secret: it lets others act as you.\n\n"
)


def read_netscape(data: bytes, name: str) -> list[Cookie]:
    """The cookies in the content of the file called `name`.

    Raises UsageError with the number of the first bad line, never with its text, which
    may hold a secret.
    """
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
    if len(fields) == 6:  # an empty value after an editor stripped trailing tabs
        fields.append("")
    if len(fields) != 7:
        raise ValueError(
            "not in Netscape's cookie file format (seven fields separated by tabs)"
        )
    domain, subdomains, path, secure, expires, name, value = fields
    if len(name) + len(value) > MAX_COOKIE or not domain:
        raise ValueError(f"no domain, or a cookie longer than {MAX_COOKIE} bytes")
    if CONTROL.search(line):
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
        raise ValueError("the fifth field, the expiry, is not a number of seconds")
    return int(text)


def _flag(text: str) -> bool:
    if text.upper() not in ("TRUE", "FALSE"):
        raise ValueError("the second and the fourth field must be TRUE or FALSE")
    return text.upper() == "TRUE"


def write_netscape(cookies: Iterable[Cookie]) -> bytes:
    """The content of a cookies.txt file.

    Session cookies are written too, as curl does. Cookies that contain a tab are left
    out, because the format has no way to quote it.
    """
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
