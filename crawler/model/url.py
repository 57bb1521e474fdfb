"""URLs: the canonical form, joining, and the keys derived from them. No I/O.

The canonical form is the serialisation of the WHATWG URL Standard (what a browser shows
after parsing), without the fragment, which never reaches a server, and without user
name and password, which must never reach a record. "URL" means this form everywhere in
the crawler. The cheap functions (`host_key`, `origin`, `scheme`) slice it instead of
parsing it again.

Joining is the most frequent operation on URLs: a page of cppreference has 80 links, and
eight out of nine were seen before on a page of the same directory. So `Base.join`
caches its results by directory, in one bounded cache for the whole process.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import ada_url
from webencodings import Encoding, lookup

from crawler.model.regex import compiled

if TYPE_CHECKING:
    from collections.abc import Collection

    from publicsuffixlist import PublicSuffixList

    from crawler.model.http import Hop

MAX_URL = 8192
"""Maximum length of a URL (characters); RFC 9110 section 4.1 demands 8,000."""

FETCHABLE = frozenset({"http", "https"})

# The schemes of links that lead to a host; others (mailto:, data:, ...) are ignored.
_NETWORK = compiled(r"(?:https?|ftp|wss?)://")
_OTHER_SCHEME = compiled(r"(?!(?:https?|ftp|wss?):)[a-z][a-z0-9+.-]*+:", re.I).match
_DEFAULT_PORTS = frozenset({"80", "443"})

_SPACE = "".join(map(chr, range(0x21)))
"""The characters that the parser strips from both ends of a link."""
# Links that the parser would not change: a path relative to the page's directory or to
# a parent directory, and an absolute URL whose host is neither a number nor punycode.
_STEP = "[A-Za-z0-9_~-][A-Za-z0-9_~.-]*+/?+"
_PLAIN = compiled(rf"((?:\.\./)*+)((?:{_STEP})++)").fullmatch
_WHOLE = compiled(
    rf"https?://(?:(?!xn--)[a-z0-9-]++\.)++[a-z]++/(?:{_STEP})*+"
).fullmatch
_SAME_IN_ALL = compiled(r"[\t\n\r -\x7f]*+").fullmatch
# A link that begins like this depends on the page, and not only on its directory.
_PAGE_RELATIVE = frozenset(_SPACE) | {"?", "#"}

_NOT_ASCII = compiled(r"[^\x00-\x7f]")

_MAX_CACHED_JOINS = 16_384
_MAX_CACHED_LENGTH = 1024
"""Maximum length of a cached directory, and of a link with its URL (characters)."""


def canonical(text: str) -> str | None:
    """The canonical form of `text`; None if it is not an absolute URL with a host."""
    if len(text) > MAX_URL:
        return None
    try:
        return _strip(ada_url.normalize_url(text))
    except ValueError:  # no URL, or (UnicodeEncodeError) a lone surrogate in it
        return None


def join(base: str, href: str, encoding: str | None = None) -> str | None:
    """As `Base(base, encoding).join(href)`, for a single link, not of a document.

    Braces in it are no placeholders: no template made it.
    """
    made = Base(base, encoding)
    return made.join(href) or made.resolve(href)


def join_header(base: str, value: str) -> str | None:
    """Like `join`, for the value of a Location header, decoded as latin-1."""
    return join(base, header_text(value))


def header_text(value: str) -> str:
    """The text of a header's value that holds URLs and was decoded as latin-1.

    Its bytes are taken for UTF-8 if they are valid UTF-8. Otherwise those that are not
    ASCII are percent-encoded as they are, because nothing declares their encoding, and
    the server expects the bytes that it has sent. Chromium does the same.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeEncodeError:  # not a header as it was received
        return value
    except UnicodeDecodeError:
        return _NOT_ASCII.sub(lambda byte: f"%{ord(byte[0]):02X}", value)


class JoinCache:
    """The results of joining, by directory and link.

    A cache that holds `max_entries` is emptied: the frequent links are soon in it
    again.
    """

    __slots__ = ("_directories", "_entries", "_max_entries")

    def __init__(self, max_entries: int = _MAX_CACHED_JOINS) -> None:
        self._max_entries = max_entries
        self._entries = 0
        self._directories: dict[str, dict[str, str | None]] = {}

    def __len__(self) -> int:
        return len(self._directories) + sum(map(len, self._directories.values()))

    def directory(self, path: str, encoding: Encoding | None) -> dict[str, str | None]:
        """The known links of one directory, which mean the same on all its pages."""
        if encoding is not None:
            path = f"{encoding.name} {path}"  # their queries are encoded differently
        links = self._directories.get(path)
        if links is None:
            links = {}
            if len(path) <= _MAX_CACHED_LENGTH:
                self.count_entry()
                self._directories[path] = links
        return links

    def count_entry(self) -> None:
        """Count one more directory or link, which the caller is about to add."""
        if self._entries >= self._max_entries:
            self._directories.clear()
            self._entries = 0
        self._entries += 1


_joins = JoinCache()


class Base:
    """The base URL of one document, which makes its links absolute.

    `url` is canonical. `encoding` is the document's character set (a label of the
    WHATWG Encoding Standard): the query of a link is percent-encoded in it.
    """

    __slots__ = ("_encoding", "_folder", "_joins", "known", "url")

    def __init__(
        self, url: str, encoding: str | None = None, joins: JoinCache = _joins
    ) -> None:
        self.url = url
        self._encoding = _query_encoding(encoding)
        self._folder = url.partition("?")[0].rpartition("/")[0]
        self._joins = joins
        self.known = joins.directory(self._folder, self._encoding)
        """What `join` has said of links that it was given; None: not a valid URL."""

    def join(self, href: str) -> str | None:
        """The canonical form of `href`, relative to the base URL.

        None if it is not a valid URL, has none of the schemes of links, or contains a
        placeholder of a template.
        """
        if "#" in href:
            href = href.partition("#")[0]
            if href and href[-1] in _SPACE:
                href += "#"  # keeps the space, which the parser would strip at the end
        if not href:
            return self.url
        if href[0] in _PAGE_RELATIVE:
            return self._parse(href)
        known = self.known
        if href in known:
            return known[href]
        url = self._parse(href)
        if len(href) + len(url or "") <= _MAX_CACHED_LENGTH:
            self._joins.count_entry()
            known[href] = url
        return url

    def _parse(self, href: str) -> str | None:
        if len(href) > MAX_URL:
            return None
        if (plain := _PLAIN(href)) is not None:
            return self._below(len(plain[1]) // 3, plain[2])
        if _WHOLE(href):
            return href
        if "%" in href or "{" in href or "<" in href or "[" in href:
            from crawler.model.placeholders import has_placeholder  # rarely needed

            if has_placeholder(href):
                return None
        return self.resolve(href)

    def resolve(self, href: str) -> str | None:
        """As `join`, uncached, and whatever is in braces."""
        if len(href) > MAX_URL:
            return None
        if self._encoding is not None and not _SAME_IN_ALL(href):
            from crawler.model.query_encoding import encode_query  # rarely needed

            href = encode_query(href, self._encoding)
        try:
            return _strip(ada_url.join_url(self.url, href))
        except ValueError:
            return None

    def _below(self, ups: int, path: str) -> str | None:
        """Join `path`, `ups` folders up, in a fifth of the parser's time."""
        folder = self._folder
        while ups and folder.count("/") > 2:  # the parent of the root is the root
            folder = folder.rpartition("/")[0]
            ups -= 1
        url = f"{folder}/{path}"
        return url if len(url) <= MAX_URL else None


def _strip(url: str) -> str | None:
    """Remove fragment and credentials; None for other schemes and for longer URLs."""
    url = url.partition("#")[0]
    if len(url) > MAX_URL or not _NETWORK.match(url):
        return None
    if "@" in url:
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return url


_MAX_ENCODED = 12
"""Characters that one may become: four bytes, each percent-encoded."""


def is_too_long(base: str, href: str) -> bool:
    """Whether `href`, of which `Base.join` makes nothing, is a URL beyond MAX_URL."""
    if len(base) + _MAX_ENCODED * len(href) <= MAX_URL:  # most often
        return False
    href = href.partition("#")[0].strip(_SPACE)
    if _OTHER_SCHEME(href):
        return False
    if len(href) > MAX_URL:
        return True
    try:
        url = ada_url.join_url(base, href).partition("#")[0]
    except ValueError:
        return False
    return len(url) > MAX_URL and _NETWORK.match(url) is not None


@lru_cache(maxsize=64)
def _query_encoding(label: str | None) -> Encoding | None:
    """The encoding of queries ("get an output encoding"); None for UTF-8."""
    encoding = lookup(label) if label else None
    if encoding is None or encoding.name in _UTF_8_OUTPUT:
        return None
    return encoding


_UTF_8_OUTPUT = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement"})

_ESCAPE = compiled("%([0-9A-Fa-f]{2})").sub
_UNRESERVED = compiled("[A-Za-z0-9._~-]").match


def url_key(url: str, redirects: Collection[Hop] = ()) -> str:
    """What makes `url`, which was found over `redirects`, one URL with others.

    It is the form of RFC 3986, section 6.2.2: `%7ex`, `%7Ex` and `~x` have one key.
    Servers redirect to the form that they prefer. Such a target would count as
    known, and nothing would be fetched; so it has a key of its own.
    """
    key = _ESCAPE(_normalized, url) if "%" in url else url
    if redirects and any(
        hop.url != url and url_key(hop.url) == key for hop in redirects
    ):
        return redirected_key(url)
    return key


def redirected_key(url: str) -> str:
    """The key of `url` where an equivalent URL redirected to it."""
    return f"{url_key(url)} {url}"


def _normalized(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED(character) else escape[0].upper()


def url_id(url: str, redirects: Collection[Hop] = ()) -> int:
    """The key of a URL in the store, as `key_id` of its `url_key`."""
    return key_id(url_key(url, redirects) if "%" in url or redirects else url)


@lru_cache(maxsize=1024)
def key_id(key: str) -> int:
    """64 bits of BLAKE2b as a signed integer (SQLite's).

    A URL that is found is soon looked up again: by the link graph, and to be leased.
    """
    return int.from_bytes(
        blake2b(key.encode(), digest_size=8).digest(), "big", signed=True
    )


def url_id_hex(url: str, redirects: Collection[Hop] = ()) -> str:
    """As `url_id`, but as 16 hexadecimal digits, as in the records."""
    return blake2b(url_key(url, redirects).encode(), digest_size=8).hexdigest()


def id_to_hex(identity: int) -> str:
    """Convert the integer of `url_id` to the digits of `url_id_hex`."""
    return f"{identity & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def id_from_hex(digits: str) -> int | None:
    """Undo `id_to_hex`; None for what are no 16 digits."""
    try:
        return int.from_bytes(bytes.fromhex(digits), "big", signed=True)
    except ValueError:
        return None


def scheme(url: str) -> str:
    """The scheme of a URL in lower case, without the colon."""
    return url.partition(":")[0]


def origin(url: str) -> str:
    """The origin `scheme://host[:port]` of a URL (RFC 6454), without a final slash."""
    return url[: url.index("/", url.index("//") + 2)]


def host_key(url: str) -> str:
    """The key for politeness: the host name, and the port unless it is 80 or 443.

    http and https of one host share a key, because they share the machine.
    """
    host = url.split("/", 3)[2]
    if host[-1].isdigit():
        name, _, port = host.rpartition(":")
        if name and port in _DEFAULT_PORTS:
            return name
    return host


def hostname(host: str) -> str:
    """The host name of a host key, without the port."""
    if host[-1:].isdigit():
        name, _, _ = host.rpartition(":")
        return name or host
    return host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()  # takes 75 ms and 3 MB, so it is loaded on demand


@lru_cache(maxsize=4096)
def registrable_domain(host: str) -> str | None:
    """The registrable domain of a host name or key: `bbc.co.uk` for `www.bbc.co.uk`.

    None for an IP address and for a public suffix. The private section of the public
    suffix list counts too: `a.github.io` and `b.github.io` are different domains.
    """
    name = hostname(host).rstrip(".")
    if not name or name.startswith("[") or name.rpartition(".")[2].isdigit():
        return None
    domain = _suffixes().privatesuffix(name)
    return None if domain is None else str(domain)
