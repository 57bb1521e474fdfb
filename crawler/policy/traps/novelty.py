"""Does a page say what its host has not said before? No I/O.

A page's text is cut at its tags into blocks, words with digits in them become `#`, and
so does what the URL's own query says. A page is new if a block was not seen on this
host, or a picture, or four numbers that are no dates. So a list in another order is old
though not a byte is where it was, and so is a near-duplicate with another date, another
counter or another session, while an archive's entry needs one sentence of its own.
(SimHash and MinHash compare whole pages: boilerplate makes entries alike, and the
threshold is a guess. Blocks forget boilerplate by seeing it twice: C. Kohlschuetter et
al., "Boilerplate Detection using Shallow Text Features", 2010.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote
from zlib import crc32

from crawler.model.documents import ImageLink

MOST_BLOCKS = 8192
"""Of one host, in each of two halves: when the newer one is full the older one is
forgotten."""
MOST_TEXT = 128 * 1024
NUMBERS = 4
OWN_SHARE = 20
"""A view of another page has to say so much that is new, one part of so many: who is
answered (`?replytocom=`) stands in it, too."""


def _element(name: str) -> bytes:
    """An element in which nothing is text, after its `<`."""
    name = "".join(f"[{char}{char.upper()}]" for char in name)
    return rf"|{name}\b[^<]*+(?:<(?!/{name})[^<]*+)*+".encode()


# All of it is possessive, and eats what it has seen, closed or not: linear in the text.
_HIDDEN = re.compile(
    rb"<(?:!--[^-]*+(?:-(?!->)[^-]*+)*+(?:-->)?"
    + b"".join(map(_element, ("script", "style", "template")))
    + b")"
)
_BETWEEN_TAGS = re.compile(rb">([^<]+)").findall
_DIGITS_AS_HASHES = bytes.maketrans(b"0123456789", b"##########")
_NUMBER = re.compile(rb"#[0-9A-Za-z#]*")
_NO_DATES = re.compile(rb"[0-9]+[.,][0-9]+|[0-9]{5,}")
_WORDS = re.compile(rb"[^\W_]+")
_WORDS_AND_ENDS = re.compile(rb"[0-9a-z\x80-\xff]+|\n").findall
_QUERY = re.compile(r"[?;]").split
_VALUE = re.compile(r"=([^&#]{3,200})")
_WORD = re.compile(r"[^\W_]{3,64}")


class Memory:
    """What one host has said so far, as checksums: a chance of one in 2^32 for each to
    be taken for another costs nobody a page, and they mean the same to the next
    process."""

    __slots__ = ("_new", "_old")

    def __init__(self, saved: Iterable[int] = ()) -> None:
        self._new: set[int] = set(saved)
        self._old: set[int] = set()

    @property
    def weight(self) -> int:
        return len(self._new) + len(self._old)

    def saved(self) -> list[int]:
        """As the constructor takes it: the newest, MOST_BLOCKS or somewhat more."""
        return [*self._new, *self._old][: max(MOST_BLOCKS, len(self._new))]

    def is_new(
        self,
        url: str,
        body: bytes,
        images: Iterable[ImageLink],
        *,
        bag: bool,
        names: frozenset[bytes] = frozenset(),
    ) -> bool:
        """Whether a page has what this host has not shown before; from now on it has.

        `bag`: of each block only the set of its words counts, as where a trail repeats
        itself. `names`: words in small letters that say nothing.
        """
        text = _text(body, url)
        blocks = set(_blocks(text))
        if names:
            blocks = _without(names, blocks)
        if bag:
            blocks = {b" ".join(sorted({*_WORDS.findall(block)})) for block in blocks}
        if self._take({crc32(block) for block in blocks} | _pictures(images)):
            return True
        numbers = {crc32(b"##" + number) for number in _NO_DATES.findall(text)}
        return len(self._take(numbers)) >= NUMBERS

    def is_another(self, url: str, body: bytes, images: Iterable[ImageLink]) -> bool:
        """Whether a view of a page that was read has more to say than that page, and
        others."""
        blocks: dict[int, int] = {
            crc32(block): len(block) for block in _blocks(_text(body, url))
        }
        pictures = _pictures(images)
        new = sum(blocks[one] for one in self._take(set(blocks)))
        return bool(self._take(pictures)) or new * OWN_SHARE > sum(blocks.values())

    def _take(self, hashes: set[int]) -> set[int]:
        """Those that were not known; from now on they are."""
        new = hashes - self._new
        new -= self._old
        if len(self._new) > MOST_BLOCKS:
            self._old, self._new = self._new, set()
        self._new |= hashes
        return new


def _without(names: frozenset[bytes], blocks: Iterable[bytes]) -> set[bytes]:
    """The blocks that have other words than these, without them; in small letters."""
    words = _WORDS_AND_ENDS(
        b"\n".join(blocks).lower()
    )  # all at once: a block has few words
    kept = b" ".join([word for word in words if word not in names])
    return {block for part in kept.split(b"\n") if (block := part.strip())}


def _pictures(images: Iterable[ImageLink]) -> set[int]:
    return {crc32(_QUERY(image.url, 1)[0].encode()) for image in images}


def _text(body: bytes, url: str) -> bytes:
    """The text of a document, a block a line, without what the URL's own query says."""
    text = b"\n".join(_BETWEEN_TAGS(_HIDDEN.sub(b"<>", b">" + body[:MOST_TEXT])))
    said = " ".join(map(unquote, _VALUE.findall(url)[:16]))
    for word in sorted(set(_WORD.findall(said)), key=len, reverse=True)[:16]:
        text = text.replace(word.encode(), b"#")
    return text


def _blocks(text: bytes) -> list[bytes]:
    return _NUMBER.sub(b"#", text.translate(_DIGITS_AS_HASHES)).split(b"\n")
