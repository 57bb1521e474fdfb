"""Whether a page has content that its host has not shown before. No I/O.

The text of a page is cut at its tags into blocks; words with digits in them become `#`,
and so do the values of the URL's own query. A page is new if it has a block, an image,
or four numbers other than dates that were not seen on this host. So a list in another
order is old though not a byte is where it was, and so is a near-duplicate with another
date, another counter or another session, while an archive's entry needs one sentence of
its own. (SimHash and MinHash compare whole pages: boilerplate makes entries alike, and
the threshold is a guess. Blocks leave out boilerplate, since it is seen twice: C.
Kohlschuetter et al., "Boilerplate Detection using Shallow Text Features", 2010.)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import filterfalse
from urllib.parse import unquote
from zlib import crc32

from crawler.model.documents import ImageLink
from crawler.model.regex import compiled

MAX_BLOCKS = 8192
"""The maximum number of blocks of one host, in each of two halves.

When the newer half is full, the older one is forgotten.
"""
MAX_TEXT = 128 * 1024
"""Bytes of a body that are looked at."""
MIN_NUMBERS = 4
MAX_SHARE = 20
"""The inverse of the share of new text that makes an alternate view new.

The view of a comment (`?replytocom=`) repeats that comment, for example.
"""


def _element(name: str) -> bytes:
    """An element in which nothing is text, after its `<`."""
    name = "".join(f"[{char}{char.upper()}]" for char in name)
    return rf"|{name}\b[^<]*+(?:<(?!/{name})[^<]*+)*+".encode()


# All of it is possessive, and consumes an element whether it is closed or not: the time
# is linear in the text.
_HIDDEN = compiled(
    rb"<(?:!--[^-]*+(?:-(?!->)[^-]*+)*+(?:-->)?"
    + b"".join(map(_element, ("script", "style", "template")))
    + b")"
)
_BETWEEN_TAGS = compiled(rb">([^<]+)").findall
_DIGITS_AS_HASHES = bytes.maketrans(b"0123456789", b"##########")
_NUMBER = compiled(rb"#[0-9A-Za-z#]*")
_NO_DATES = compiled(rb"[0-9]+[.,][0-9]+|[0-9]{5,}")
_WORDS = compiled(rb"[^\W_]+")
_WORDS_AND_ENDS = compiled(rb"[0-9a-z\x80-\xff]+|\n").findall
_QUERY = compiled(r"[?;]").split
_VALUE = compiled(r"=([^&#]{3,200})")
_WORD = compiled(r"[^\W_]{3,64}")


class SeenContent:
    """The content that one host has shown so far, as checksums.

    Two pieces are taken for one with a chance of one in 2^32, which costs no page, and
    a checksum means the same to the next process.
    """

    __slots__ = ("_new", "_old")

    def __init__(self, saved: Iterable[int] = ()) -> None:
        self._new: set[int] = set(saved)
        self._old: set[int] = set()

    @property
    def weight(self) -> int:
        return len(self._new) + len(self._old)

    def saved(self) -> list[int]:
        """As the constructor takes it: the newest, MAX_BLOCKS or somewhat more."""
        return [*self._new, *self._old][: max(MAX_BLOCKS, len(self._new))]

    def is_new(
        self,
        url: str,
        body: bytes,
        images: Iterable[ImageLink],
        *,
        unordered: bool,
        ignored: frozenset[bytes] = frozenset(),
    ) -> bool:
        """Whether a page has what this host has not shown before; from now on it has.

        `unordered`: only the set of the words in each block counts, as where a trail
        repeats itself. `ignored`: words in lower case that are no content.
        """
        text = _text(body, url)
        blocks = set(_blocks(text))
        if ignored:
            blocks = _without(ignored, blocks)
        if unordered:
            blocks = {b" ".join(sorted({*_WORDS.findall(block)})) for block in blocks}
        if self._add({crc32(block) for block in blocks} | _images(images)):
            return True
        numbers = {crc32(b"##" + number) for number in _NO_DATES.findall(text)}
        return len(self._add(numbers)) >= MIN_NUMBERS

    def differs(self, url: str, body: bytes, images: Iterable[ImageLink]) -> bool:
        """Whether an alternate view of a page has more content than the page itself."""
        blocks: dict[int, int] = {
            crc32(block): len(block) for block in _blocks(_text(body, url))
        }
        new = sum(blocks[one] for one in self._add(set(blocks)))
        new_images = self._add(_images(images))
        return bool(new_images) or new * MAX_SHARE > sum(blocks.values())

    def _add(self, hashes: set[int]) -> set[int]:
        """Those that were not seen before; from now on they are."""
        new = hashes - self._new
        new -= self._old
        if len(self._new) > MAX_BLOCKS:
            self._old, self._new = self._new, set()
        self._new |= hashes
        return new


def _without(ignored: frozenset[bytes], blocks: Iterable[bytes]) -> set[bytes]:
    """The blocks that have other words too, without the ignored ones; in lower case."""
    # All at once, since a block has few words.
    words = _WORDS_AND_ENDS(b"\n".join(blocks).lower())
    kept = b" ".join(filterfalse(ignored.__contains__, words))
    return {block for part in kept.split(b"\n") if (block := part.strip())}


def _images(images: Iterable[ImageLink]) -> set[int]:
    return {crc32(_QUERY(image.url, 1)[0].encode()) for image in images}


def _text(body: bytes, url: str) -> bytes:
    """The text of a document, a block a line, without the values of the URL's query."""
    text = b"\n".join(_BETWEEN_TAGS(_HIDDEN.sub(b"<>", b">" + body[:MAX_TEXT])))
    values = " ".join(map(unquote, _VALUE.findall(url)[:16]))
    for word in sorted(set(_WORD.findall(values)), key=len, reverse=True)[:16]:
        text = text.replace(word.encode(), b"#")
    return text


def _blocks(text: bytes) -> list[bytes]:
    return _NUMBER.sub(b"#", text.translate(_DIGITS_AS_HASHES)).split(b"\n")
