"""The request that a browser makes for a form (HTML Standard, section 4.10.21).

No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote_plus

from webencodings import lookup

from crawler.model.forms import Control, Form
from crawler.model.http import Header, Request
from crawler.model.url import origin

ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"
_NEW_LINE = re.compile(r"\r\n?|\n")

Entry = tuple[str, str]
"""Name and value."""


def submit(
    form: Form, values: Mapping[str, str], page: str, boundary: Callable[[], str]
) -> Request:
    """The request that sends `form` of the page at `page`, with these values filled in.

    `boundary` makes the text that separates the parts of `multipart/form-data`.
    """
    entries = _entries(form.controls, values)
    if form.method == "get":
        query = _urlencoded(entries, form.charset)
        url = form.action.partition("?")[0] + "?" + query.decode("ascii")
        return Request(url, accept=ACCEPT, referer=page)
    content_type, content = _encoded(form, entries, boundary)
    headers: tuple[Header, ...] = (
        ("Content-Type", content_type),
        ("Origin", origin(page)),  # some servers refuse a form without it
    )
    return Request(
        form.action,
        method="POST",
        content=content,
        headers=headers,
        accept=ACCEPT,
        referer=page,
    )


def _entries(controls: Sequence[Control], values: Mapping[str, str]) -> list[Entry]:
    """Names and values in the order of the form; each value that is given, once."""
    entries: list[Entry] = []
    left = dict(values)
    for control in controls:
        name = control.name
        if name in values:
            if name in left:
                entries.append((name, left.pop(name)))
        elif control.sent and control.kind == "image":
            entries += [(f"{name}.x", "0"), (f"{name}.y", "0")]
        elif control.sent:
            entries.append((name, control.value))
    return [(name, _NEW_LINE.sub("\r\n", value)) for name, value in entries]


def _encoded(
    form: Form, entries: Sequence[Entry], boundary: Callable[[], str]
) -> tuple[str, bytes]:
    """The value of Content-Type, and the body."""
    if form.enctype == "multipart/form-data":
        mark = boundary()
        content_type = f"multipart/form-data; boundary={mark}"
        return content_type, _multipart(entries, form.charset, mark.encode())
    if form.enctype == "text/plain":
        lines = "".join(f"{name}={value}\r\n" for name, value in entries)
        return "text/plain", _bytes(lines, form.charset)
    return form.enctype, _urlencoded(entries, form.charset)


def _urlencoded(entries: Sequence[Entry], charset: str) -> bytes:
    """`application/x-www-form-urlencoded` (URL Standard, section 5.2)."""
    pairs = (
        "=".join(_percent_encoded(text, charset) for text in entry) for entry in entries
    )
    return "&".join(pairs).encode("ascii")


def _percent_encoded(text: str, charset: str) -> str:
    return quote_plus(_bytes(text, charset), safe="*").replace("~", "%7E")


def _multipart(entries: Sequence[Entry], charset: str, boundary: bytes) -> bytes:
    """`multipart/form-data` (RFC 7578), with names escaped as in the HTML Standard."""
    parts = []
    for name, value in entries:
        escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        parts.append(
            b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
            % (boundary, _bytes(escaped, charset), _bytes(value, charset))
        )
    return b"".join(parts) + b"--%b--\r\n" % boundary


def _bytes(text: str, charset: str) -> bytes:
    """`text` encoded; what the encoding does not have, as a character reference."""
    encoding = lookup(charset)
    assert encoding is not None
    return encoding.codec_info.encode(text, "xmlcharrefreplace")[0]
