"""The key of a URL in a CDX: its SURT form (Sort-friendly URI Reordering Transform).

Readers of an index look a URL up by its key, so it must be theirs: this is what the
package `surt` of the Internet Archive makes, which pywb uses and which is not kept any
more. Scheme, user, `www.`, default port, session ids, the slash at the end and the
order of the query do not count, nor do escapes and capital letters.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

_WWW = re.compile(r"www\d*\.")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE = b"!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SESSIONS_IN_PATH = [
    re.compile(r"^(.*/)(?:\((?:[a-z]\([0-9a-z]{24}\))+\)/)([^?]+\.aspx.*)$"),
    re.compile(r"^(.*/)(?:\([0-9a-z]{24}\)/)([^?]+\.aspx.*)$"),
]
_SESSIONS_IN_QUERY = [
    re.compile(rf"^(.*)(?:{session})(?:&(.*))?$")
    for session in (
        "jsessionid=[0-9a-z]{32}",
        "phpsessid=[0-9a-z]{32}",
        "sid=[0-9a-z]{32}",
        "aspsessionid[a-z]{8}=[a-z]{24}",
        "cfid=[^&]+&cftoken=[^&]+",
    )
]


def surt(url: str) -> str:
    """The SURT form of a serialised http or https URL.

    >>> surt("https://www.example.com:8443/A/?b=1&a=2")
    'com,example:8443)/a?a=2&b=1'
    """
    parts = urlsplit(url)
    host = _WWW.sub("", (parts.hostname or "").strip("."), count=1)
    labels = ",".join(reversed(host.split(".")))
    if parts.port is not None and parts.port != _DEFAULT_PORTS.get(parts.scheme):
        labels += f":{parts.port}"
    query = _query(parts.query)
    return f"{labels}){_path(parts.path)}" + (f"?{query}" if query else "")


def _path(path: str) -> str:
    kept: list[str] = []
    *folders, last = _unescaped(path).split("/")[1:]
    for segment in folders:
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    path = _escaped("/".join(["", *kept, last])).lower()
    for session in _SESSIONS_IN_PATH:
        path = session.sub(r"\1\2", path)
    return path.removesuffix("/") or "/"


def _query(query: str) -> str:
    query = _escaped(_unescaped(query)).lower()
    for session in _SESSIONS_IN_QUERY:
        query = session.sub(r"\1\2", query)
    arguments = sorted(query.split("&"), key=lambda one: one.split("=", 1))
    return "&".join(arguments)


def _unescaped(text: str) -> str:
    """Unescaped until nothing is left to unescape: a character for each byte."""
    before, data = b"", text.encode()
    while data != before:
        before, data = data, unquote_to_bytes(data)
    return data.decode("latin-1")


def _escaped(text: str) -> str:
    return quote_from_bytes(text.encode("latin-1"), safe=_SAFE)
