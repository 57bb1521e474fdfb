"""Cookies as JSON: exports of browsers, and Playwright's storage state. No I/O.

EditThisCookie, Cookie-Editor, Puppeteer and Selenium write a list of objects, and
Playwright an object whose `cookies` is such a list. All have `name`, `value`, `domain`,
`path`, `secure` and `httpOnly`; they differ in these:

    expiry       expirationDate (extensions), expires (Playwright, Puppeteer: -1 is
                 none), expiry (Selenium); seconds since the epoch
    subdomains   hostOnly (extensions); elsewhere a domain that begins with a dot
    SameSite     lax, strict, none, no_restriction, unspecified, in any case
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from crawler.fetch.cookies.cookie import MAX_COOKIE, Cookie, SameSite
from crawler.fetch.cookies.netscape import CONTROL, MAX_LINES
from crawler.model.errors import UsageError

_SAME_SITE: dict[str, SameSite] = {
    "lax": "lax",
    "strict": "strict",
    "none": "none",
    "no_restriction": "none",
}


def read_json_cookies(data: bytes, name: str) -> list[Cookie]:
    """The cookies in the content of the file called `name`.

    Raises UsageError with the number of the first bad cookie, from 1, never with its
    text, which may hold a secret.
    """
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError(f"{name}: not valid JSON") from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply") from None
    cookies = tree.get("cookies") if isinstance(tree, dict) else tree
    if not isinstance(cookies, list):
        raise UsageError(
            f"{name}: neither a list of cookies nor an object with such a list in "
            "`cookies`"
        )
    if len(cookies) > MAX_LINES:
        raise UsageError(f"{name}: more than {MAX_LINES} cookies")
    found = []
    for number, entry in enumerate(cookies, 1):
        try:
            found.append(_cookie(entry))
        except ValueError as error:
            raise UsageError(f"{name}: cookie {number}: {error}") from None
    return found


def _cookie(entry: Any) -> Cookie:
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    name, value = (_text(entry, key) for key in ("name", "value"))
    domain = _text(entry, "domain").lower()
    path = _text(entry, "path", "/")
    host = domain.removeprefix(".").strip("[]")
    if not host or len(name) + len(value) > MAX_COOKIE:
        raise ValueError(f"no domain, or longer than {MAX_COOKIE} bytes")
    if CONTROL.search(name + value + domain + path) or ";" in name + value:
        raise ValueError("a control character or a semicolon")
    is_host_only = entry.get("hostOnly")
    if not isinstance(is_host_only, bool):
        is_host_only = not domain.startswith(".")
    return Cookie(
        name,
        value,
        host,
        path if path.startswith("/") else "/",
        None if entry.get("session") is True else _expiry(entry),
        host_only=is_host_only,
        secure=entry.get("secure") is True,
        http_only=entry.get("httpOnly") is True,
        same_site=_SAME_SITE.get(str(entry.get("sameSite")).lower(), "default"),
    )


def _text(entry: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text as bytes of UTF-8 in latin-1: browsers send cookies in UTF-8."""
    text = entry.get(key, default)
    if not isinstance(text, str):
        raise ValueError(f"its {key} is not a text")
    return text.encode().decode("latin-1")


def _expiry(entry: dict[str, Any]) -> float | None:
    """Seconds since the epoch; None for a cookie of the session."""
    keys = ("expirationDate", "expires", "expiry")
    value = next((entry[key] for key in keys if entry.get(key) is not None), None)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError("its expiry is not a number of seconds") from None
    if value is None or isinstance(value, bool) or value == 0 or value == -1:
        return None
    if not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("its expiry is not a number of seconds")
    return float(value)
