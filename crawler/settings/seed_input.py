"""Seeds as a user writes them. No I/O.

A list of seeds is rarely without a fault: exports end with a cut line, and have a
header, or addresses that are none. A line that is no URL is named, with its number, and
does not refuse the others.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.model.seed import parse_seed
from crawler.model.url import MAX_URL, host_key

MAX_SHOWN = 80
"""Characters of a line that are shown."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class SeedList(Struct, frozen=True):
    """What a list of seeds holds."""

    urls: tuple[str, ...]
    """Canonical URLs."""
    notes: tuple[str, ...]
    """What was assumed, a sentence each."""
    problems: tuple[str, ...]
    """The lines that are no seeds, as `NAME:LINE: reason`."""


def default_name(url: str) -> str:
    """The default folder of a crawl: the host, with a port that is not the default."""
    return re.sub(r"[^\w.-]", "_", host_key(url)).strip(".") or "crawl"


def read_seeds(data: bytes, name: str) -> SeedList:
    """The seeds of a list, one a line; empty lines and those with # first are left out.

    `name` is that of the file. Text is UTF-8, or UTF-16 with a byte order mark.
    """
    urls: list[str] = []
    notes: list[str] = []
    problems: list[str] = []
    for number, line in _lines(data):
        try:
            text = line.decode().strip()
            if not text or text.startswith("#"):
                continue
            seed = parse_seed(_checked(text))
        except UnicodeDecodeError as error:
            problems.append(f"{name}:{number}: not UTF-8 text (byte {error.start + 1})")
            continue
        except UsageError as error:
            problems.append(f"{name}:{number}: {error}")
            continue
        urls.append(seed.url)
        if seed.assumed_https:
            notes.append(https_note(text))
    return SeedList(tuple(urls), tuple(notes), tuple(problems))


def https_note(text: str) -> str:
    """What is said of a seed without a scheme."""
    return f"{text}: no scheme given, https assumed; write http:// for plain HTTP"


def _checked(text: str) -> str:
    """`text`, unless no URL can be so. Raises UsageError that shows little of it."""
    if len(text) > MAX_URL:
        start = repr(text[:MAX_SHOWN])
        raise UsageError(f"{start}... is longer than {MAX_URL} characters")
    if "\0" in text:
        shown = repr(text[:MAX_SHOWN])
        raise UsageError(f"{shown} is not a valid URL: it holds a NUL byte")
    return text


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines, in UTF-8, with their numbers; a line ends with CR LF, LF or CR."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            data = data[len(mark) :]
            if encoding != "utf-8":
                data = data.decode(encoding, "replace").encode("utf-8", "replace")
    return enumerate(data.splitlines(), 1)
