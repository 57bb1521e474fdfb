"""The rows of `outlink`: the links of one document each, packed.

A row is written with the record of its document, in the same transaction, and replaced
when the document is fetched again. It holds the numbers of the URLs that the document
links to, each as the difference from the one before, since new links of a page have
consecutive numbers; their kinds, a byte each; and their texts, joined. All of it is
compressed with a dictionary of the crawl's own (`LINKS_DICTIONARY`): the beginnings of
the first rows, for the pages of a site have their navigation in common. A byte before
it says whether the dictionary was there already.

Measured on the manuals of PostgreSQL, GIMP and Python (11, 11 and 42 links a page):
24, 8 and 27 % of the size of the rest of the state. A crawl of the manual of PostgreSQL
(14 kB a page) executes 8.6 % more instructions with the links (callgrind): a third of
it is DEFLATE and the copy of its memory, the rest are the texts
(`extract/html/link_texts.py`) and the row. Without the dictionary the rows take 28, 12
and 35 %. A table of distinct links, to which each page refers, was 28, 7 and 36 %, and
would keep links that no page has any more.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from operator import itemgetter, sub
from typing import Protocol

import msgspec
from msgspec import Struct

from crawler.frontier.sqlite.database import first_column
from crawler.frontier.sqlite.seen_set import SeenCache, SeenSet
from crawler.model.documents import LinkKind
from crawler.model.link_graph import (
    MAX_TEXT,
    NO_LINKS,
    DocumentFacts,
    OutLink,
    OutLinks,
    SourceLinks,
)
from crawler.model.metadata import LINKS_DICTIONARY
from crawler.model.url import url_id

KINDS: tuple[LinkKind, ...] = (
    "seed", "a", "img", "srcset", "source", "css", "iframe", "meta_refresh",
    "link_canonical", "link_next", "link_alternate", "icon", "lazy", "json", "json_ld",
    "og", "stylesheet", "css_import", "script", "font", "media", "object", "preload",
    "manifest", "sitemap", "sitemap_index", "feed", "robots_sitemap", "redirect",
    "plugin", "api", "form",
)  # fmt: skip
"""What the bytes of `PackedLinks.kinds` mean. A new kind is added at the end."""

_SAMPLES, _SAMPLE_BYTES = 16, 1024
"""The rows that the dictionary is made of, and the maximum of each."""
_MAX_CACHED = 1 << 15
_WITHOUT, _WITH = b"\0", b"\1"
"""The first byte of a row that is compressed without, and with the dictionary."""
_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 6, 13, 4
"""Settings of DEFLATE: small, since copying its memory is most of the work of a row."""
_WINDOW = 1 << _WINDOW_BITS
_MAX_WINDOW_BITS = 14
"""The largest window that any version has used."""
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_ROWS = """
SELECT outlink.seq, url.url, outlink.links FROM outlink JOIN url USING (seq)
WHERE %s ORDER BY outlink.seq
"""


class PackedLinks(Struct, frozen=True, array_like=True):
    """The content of a row, before compression."""

    facts: DocumentFacts
    targets: list[int]
    """Numbers of URLs, each less the one before; 0: the next one of `unknown`."""
    kinds: bytes
    texts: bytes
    """Joined by line feeds, which are in none of them; UTF-8."""
    rels: dict[int, str] = {}
    """Attribute `rel`, by index of the link."""
    unknown: list[str] = []
    """URLs that are not in the table `url`."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...

    def copy(self) -> _Compressor: ...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PackedLinks).decode


class LinkRows:
    """Writes the table `outlink` within the open transaction of the store."""

    def __init__(self, db: sqlite3.Connection, seen: SeenSet) -> None:
        self._db = db
        self._seen = seen
        self._pending: list[tuple[int, OutLinks]] = []
        self._seqs = SeenCache(_MAX_CACHED)
        self._dictionary = read_dictionary(db)
        self._compressor = _compressor(self._dictionary)
        self._samples: list[bytes] = []

    def learn(self, url: str, seq: int) -> None:
        """A URL has this number, which need not be looked up for what links to it."""
        self._seqs.put(url, seq)

    def put(self, seq: int, links: OutLinks) -> None:
        """Replace the row of a document; NO_LINKS removes it."""
        self._pending.append((seq, links))

    def flush(self) -> None:
        """Write what was put. The URLs that were found with it are in the tables."""
        self._pending.sort(key=itemgetter(0))  # new rows then fill the file's pages
        gone = [(seq,) for seq, links in self._pending if links is NO_LINKS]
        # For an object of the type bytes, the module sqlite3 looks for an adapter.
        rows = [
            (seq, bytearray(self._packed(links)))
            for seq, links in self._pending
            if links is not NO_LINKS
        ]
        self._db.executemany("DELETE FROM outlink WHERE seq = ?", gone)
        self._db.executemany("INSERT OR REPLACE INTO outlink VALUES (?, ?)", rows)
        self._pending.clear()

    def _packed(self, links: OutLinks) -> bytes:
        found = links.found
        urls = [one.url for one in found.links] + [one.url for one in found.images]
        texts = [one.text or "" for one in found.links]
        texts += [one.alt or "" for one in found.images]
        seqs = [self._redirected(links)] if found.redirects else self._numbers(urls)
        numbers = _NUMBERS
        row = PackedLinks(
            links.facts,
            list(map(sub, seqs, [0, *seqs])),
            bytes(
                [numbers[one.kind] for one in found.links]
                + [numbers[one.kind] for one in found.images]
            ),
            _joined(texts),
            {
                index: one.rel[:MAX_TEXT]
                for index, one in enumerate(found.links)
                if one.rel and one.kind == "a"
            },
            [url for url, seq in zip(urls, seqs, strict=True) if not seq]
            if 0 in seqs
            else [],
        )
        return self._compressed(_encode(row))

    def _compressed(self, encoded: bytes) -> bytes:
        packer, first = self._compressor.copy(), _WITH if self._dictionary else _WITHOUT
        if not self._dictionary:
            self._samples.append(encoded[:_SAMPLE_BYTES])
            if len(self._samples) == _SAMPLES:
                self._set_dictionary(b"".join(self._samples)[-_WINDOW:])
                self._samples.clear()
        return first + packer.compress(encoded) + packer.flush()

    def _numbers(self, urls: list[str]) -> list[int]:
        try:
            return list(map(self._seqs.young.__getitem__, urls))  # most often
        except KeyError:
            return list(map(self._seq, urls))

    def _seq(self, url: str) -> int:
        seq = self._seqs.get(url)
        if seq is None:
            seq = self._seen.number_of(url_id(url))
            if seq:
                self._seqs.put(url, seq)
        return seq

    def _redirected(self, links: OutLinks) -> int:
        """The target of a redirect, which may have a key of its own."""
        identity = url_id(links.found.links[0].url, links.found.redirects)
        return self._seen.number_of(identity)

    def _set_dictionary(self, dictionary: bytes) -> None:
        self._dictionary = dictionary
        self._compressor = _compressor(dictionary)
        row = (LINKS_DICTIONARY, "", dictionary)
        self._db.execute("INSERT INTO metadata VALUES (?, ?, ?)", row)


def _compressor(dictionary: bytes) -> _Compressor:
    """To be copied for each row: setting the dictionary takes longer than most rows."""
    settings = (_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL)
    if not dictionary:
        return zlib.compressobj(*settings)
    return zlib.compressobj(*settings, zdict=dictionary[-_WINDOW:])


def _joined(texts: list[str]) -> bytes:
    joined = "\n".join(texts)
    if len(joined) > MAX_TEXT and max(map(len, texts)) > MAX_TEXT:
        texts = [text[:MAX_TEXT] for text in texts]
        joined = "\n".join(texts)
    if joined.count("\n") >= max(1, len(texts)):  # an API or a plug-in gave one
        joined = "\n".join([" ".join(text.split()) for text in texts])
    return joined.encode("utf-8", "replace")


def read_dictionary(db: sqlite3.Connection) -> bytes:
    """What the rows are compressed with; empty: there are none."""
    query = "SELECT value FROM metadata WHERE kind = ?"
    dictionary: bytes = first_column(db.execute(query, (LINKS_DICTIONARY,)), b"")
    return dictionary


def unpacked(packed: bytes, dictionary: bytes) -> PackedLinks:
    """The content of a row. Raises zlib.error or MsgspecError for damage."""
    dictionary = dictionary if packed[:1] == _WITH else b""
    unpacker = zlib.decompressobj(-_MAX_WINDOW_BITS, zdict=dictionary)
    return _decode(unpacker.decompress(packed[1:]) + unpacker.flush())


def read_links(
    db: sqlite3.Connection, where: str = "TRUE", values: Sequence[int] = ()
) -> Iterator[SourceLinks]:
    """Documents with their links, one at a time, in order of discovery.

    `where` is a condition on the columns of `url`, with `values` for its placeholders.
    """
    dictionary = read_dictionary(db)
    for seq, url, packed in db.execute(_ROWS % where, values):
        row = unpacked(packed, dictionary)
        yield SourceLinks(seq, url, row.facts, tuple(_out_links(row)))


def _out_links(row: PackedLinks) -> Iterator[OutLink]:
    unknown, target = iter(row.unknown), 0
    texts = row.texts.decode().split("\n")
    for index, (step, number) in enumerate(zip(row.targets, row.kinds, strict=True)):
        target += step
        url = None if target else next(unknown)
        text, rel = texts[index] or None, row.rels.get(index)
        yield OutLink(target, url, KINDS[number], text, rel)
