"""Which shard of a crawl owns a host: a pure function. No I/O.

A crawl by several processes is cut into shards, and everything of a host has one owner:
its pace, robots.txt, cookies, quotas, and which of its URLs are known. The owner is
decided by the registrable domain, since redirects and cookies rarely leave it. Domains
under which a provider gives a host to each customer, and which are no public suffixes,
would be far too large for one shard; they go by host (`WIDE_DOMAINS`).

Names that differ in their last number only are dealt to the shards in turn. A hash
alone deals them by chance: of the 100 addresses of a network, one of two shards then
gets 57 or more in one crawl out of five, and the other process waits for it. Other
names are dealt by their hash.

The function may never change for a crawl that has begun: its URLs would be looked for
in other shards. So a crawl keeps the version and the list that it was begun with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct

from crawler.model.errors import StateError
from crawler.model.url import host_key, hostname, registrable_domain

VERSION = 2
"""That of the function by which a crawl that begins now is cut (`_NUMBERS`)."""
MAX_SHARDS = 256

WIDE_DOMAINS = (
    "livejournal.com",
    "medium.com",
    "substack.com",
    "tumblr.com",
    "typepad.com",
    "wixsite.com",
    "wordpress.com",
)
"""Registrable domains whose hosts are split over the shards, each by its own name."""

_LAST_NUMBER = re.compile(r"(?<![0-9])[0-9]+(?=[^0-9]*\Z)")
_MAX_HOSTS = 1 << 16
"""Hosts whose owner is remembered: some 8 MB."""


class Layout(Struct, frozen=True):
    """How a crawl is cut into shards, as it is kept with the crawl."""

    shards: int
    version: int = VERSION
    wide_domains: tuple[str, ...] = WIDE_DOMAINS


class Shard(Struct, frozen=True):
    """One shard of a crawl."""

    number: int
    layout: Layout
    run_id: str
    """That of the whole crawl."""


class LastLease(NamedTuple):
    """The last lease of a shard, and the folder that has its state since then."""

    token: str
    home: str


class Session(Struct, frozen=True):
    """A login for all shards of a crawl. It holds secrets, as each state does."""

    id: str
    values: tuple[tuple[str, str, bytes], ...]
    """Metadata (kind, key, value) that a store has after it: cookies."""


class Owners:
    """Answers which shard of `layout` owns a URL.

    Raises StateError for the version of another program.
    """

    def __init__(self, layout: Layout) -> None:
        number = _NUMBERS.get(layout.version)
        if number is None:
            raise StateError(
                f"the crawl was cut into shards by version {layout.version} of the "
                f"function, and this orbweb has version {VERSION}: go on with the "
                "orbweb that began the crawl"
            )
        self.shards = layout.shards
        self._number = number
        self._wide = frozenset(layout.wide_domains)
        self._known: dict[str, int] = {}

    def of_url(self, url: str) -> int:
        """The number of the shard that owns a canonical URL, from 0 on."""
        return self.of_host(host_key(url))

    def of_host(self, host: str) -> int:
        """The same, by the key of the host (`url.host_key`)."""
        owner = self._known.get(host)
        if owner is None:
            if len(self._known) >= _MAX_HOSTS:
                self._known.clear()
            owner = self._known[host] = self._owner(host)
        return owner

    def own(self, urls: Sequence[str], shard: int) -> list[str]:
        """Those of `urls` that the shard owns."""
        return [url for url in urls if self.of_url(url) == shard]

    def _owner(self, host: str) -> int:
        domain = registrable_domain(host)
        if domain is None or domain in self._wide:
            domain = hostname(host)
        return self._number(domain) % self.shards


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _hash_and_last_number(name: str) -> int:
    number = _LAST_NUMBER.search(name)
    if number is None:
        return _hash(name)
    rest = name[: number.start()] + name[number.end() :]
    return _hash(rest) + int(number[0][-9:])


_NUMBERS: dict[int, Callable[[str], int]] = {1: _hash, 2: _hash_and_last_number}
"""The number of a name, by version of the function; modulo the shards, it is the shard.

That of version 1 is 8 bytes of BLAKE2b of the name.
"""
