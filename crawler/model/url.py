"""URLs: the canonical form, joining, and the keys made of them.

The canonical form is the serialisation of the WHATWG URL Standard (what a browser shows
after parsing), without fragment and without user name and password: the first never
reaches a server, the others must never reach a record. Everything that is said here of
"a URL" means this form, and the cheap functions (`host_key`, `origin`, `scheme`) cut it
by position instead of parsing it again.

Joining is the most frequent thing a crawler does with URLs: a page of cppreference
carries 80 links, and eight of nine were seen before in the same directory. So
`Base.join` keeps what it learnt for each directory, in one store bounded for the whole
process.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import ada_url
from webencodings import Encoding, lookup

from crawler.model.errors import UsageError

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_URL = 8192
"""Characters of a URL; RFC 9110 section 4.1 asks for 8000 at least. A longer one is no
URL here."""

FETCHABLE = frozenset({"http", "https"})

# Of the schemes with a host, the ones that a page may name; the rest (mailto:,
# javascript:, data:, file:) do not lead anywhere on the network and are no links to us.
_NETWORK = re.compile(r"(?:https?|ftp|wss?)://")
_DEFAULT_PORTS = frozenset({"80", "443"})

_SPACE = "".join(map(chr, range(0x21)))
"""What the parser strips from both ends of a link."""
# What is written so is not rewritten by the parser: from the page's directory, or from
# one above it, down to a file; and from the root of a host whose name is neither a
# number nor punycode.
_STEP = "[A-Za-z0-9_~-][A-Za-z0-9_~.-]*+/?+"
_PLAIN = re.compile(rf"((?:\.\./)*+)((?:{_STEP})++)").fullmatch
_WHOLE = re.compile(
    rf"https?://(?:(?!xn--)[a-z0-9-]++\.)++[a-z]++/(?:{_STEP})*+"
).fullmatch
# A link that begins so means something else on each page of a directory.
_OF_THE_PAGE = frozenset(_SPACE) | {"?", "#"}

_KEPT_JOINS = 16_384
_KEPT_LENGTH = 1024
_directories: dict[str, dict[str, str | None]] = {}
_kept_joins = 0


def canonical(text: str) -> str | None:
    """The canonical form of the absolute URL `text`, or None if it is none of a network
    scheme."""
    if len(text) > MAX_URL:
        return None
    try:
        return _strip(ada_url.normalize_url(text))
    except ValueError:  # no URL, or (UnicodeEncodeError) a lone surrogate in it
        return None


def join(base: str, href: str, encoding: str | None = None) -> str | None:
    """`Base(base, encoding).join(href)`, for a single link."""
    return Base(base, encoding).join(href)


def join_header(base: str, value: str) -> str | None:
    """As `join`, for a Location or Link header, whose bytes came decoded as latin-1.

    Browsers take them for UTF-8, and so do the servers that send such.
    """
    try:
        return join(base, value.encode("latin-1").decode())
    except UnicodeError:
        return join(base, value)


class Base:
    """The base URL of one document, which makes its links absolute.

    `url` is canonical. `encoding` is the document's character set (a label of the
    WHATWG Encoding Standard): the query of a link is percent-encoded in it.
    """

    __slots__ = ("_encoding", "_folder", "_known", "url")

    def __init__(self, url: str, encoding: str | None = None) -> None:
        self.url = url
        self._encoding = _query_encoding(encoding)
        self._folder = url.partition("?")[0].rpartition("/")[0]
        self._known = _directory(self._folder, self._encoding)

    def join(self, href: str) -> str | None:
        """The canonical form of `href` seen from here; None if it leads to no network
        address."""
        if "#" in href:
            href = href.partition("#")[0]
            if href and href[-1] in _SPACE:
                href += "#"  # the space was not at the end, where the parser strips it
        if not href:
            return self.url
        if href[0] in _OF_THE_PAGE:
            return self._parse(href)
        known = self._known
        if href in known:
            return known[href]
        url = self._parse(href)
        if len(href) + len(url or "") <= _KEPT_LENGTH:
            _count_join()
            known[href] = url
        return url

    def _parse(self, href: str) -> str | None:
        if len(href) > MAX_URL:
            return None
        if (plain := _PLAIN(href)) is not None:
            return self._below(len(plain[1]) // 3, plain[2])
        if _WHOLE(href):
            return href
        if self._encoding is not None and not href.isascii():
            href = _encode_query(href, self._encoding)
        try:
            return _strip(ada_url.join_url(self.url, href))
        except ValueError:
            return None

    def _below(self, ups: int, path: str) -> str | None:
        """What `path` is seen from so many folders up: a fifth of the parser's time."""
        folder = self._folder
        while ups and folder.count("/") > 2:  # above the root is the root
            folder = folder.rpartition("/")[0]
            ups -= 1
        url = f"{folder}/{path}"
        return url if len(url) <= MAX_URL else None


def _directory(path: str, encoding: Encoding | None) -> dict[str, str | None]:
    """What is known of the links in one directory: they mean the same on each of its
    pages."""
    if encoding is not None:
        path = f"{encoding.name} {path}"  # ... whose queries are encoded alike
    known = _directories.get(path)
    if known is None:
        known = {}
        if len(path) <= _KEPT_LENGTH:
            _count_join()
            _directories[path] = known
    return known


def _count_join() -> None:
    """Keeps the store bounded: when full, it forgets all, and soon knows again what
    matters."""
    global _kept_joins
    if _kept_joins >= _KEPT_JOINS:
        _directories.clear()
        _kept_joins = 0
    _kept_joins += 1


def _strip(url: str) -> str | None:
    """Without fragment and credentials; None for other schemes and for what has grown
    too long."""
    url = url.partition("#")[0]
    if len(url) > MAX_URL or not _NETWORK.match(url):
        return None
    if "@" in url:
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return url


@lru_cache(maxsize=64)
def _query_encoding(label: str | None) -> Encoding | None:
    """The encoding for queries, None where that is UTF-8 ("get an output encoding")."""
    encoding = lookup(label) if label else None
    if encoding is None or encoding.name in _WRITTEN_AS_UTF_8:
        return None
    return encoding


_WRITTEN_AS_UTF_8 = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement"})

# The special-query percent-encode set of the URL Standard, as a table of bytes.
_QUERY_BYTES = tuple(
    f"%{n:02X}" if n <= 0x20 or n >= 0x7F or chr(n) in "\"#<>'" else chr(n)
    for n in range(256)
)
_TAB_OR_NEWLINE = {9: None, 10: None, 13: None}


def _encode_query(href: str, encoding: Encoding) -> str:
    """`href` with its query percent-encoded in `encoding` ("percent-encode after
    encoding")."""
    before, mark, query = href.rstrip(_SPACE).removesuffix("#").partition("?")
    encoded = encoding.codec_info.encode(query.translate(_TAB_OR_NEWLINE), _REFERENCES)[
        0
    ]
    return before + mark + "".join(_QUERY_BYTES[byte] for byte in encoded)


def _reference(error: UnicodeError) -> tuple[str | bytes, int]:
    """What the codec lacks becomes a character reference, already percent-encoded."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(f"%26%23{ord(char)}%3B" for char in lacking), error.end


_REFERENCES = "orbweb-references"
codecs.register_error(_REFERENCES, _reference)


def url_id(url: str) -> int:
    """The URL's identity in the store: 64 bits of BLAKE2b, as a signed integer for
    SQLite."""
    return int.from_bytes(
        blake2b(url.encode(), digest_size=8).digest(), "big", signed=True
    )


def url_id_hex(url: str) -> str:
    """The same 64 bits as 16 hexadecimal digits, as the records carry them."""
    return blake2b(url.encode(), digest_size=8).hexdigest()


def id_to_hex(identity: int) -> str:
    """From the integer of `url_id` to the digits of `url_id_hex`."""
    return f"{identity & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def scheme(url: str) -> str:
    """Lower-case scheme of a URL, without the colon."""
    return url.partition(":")[0]


def origin(url: str) -> str:
    """`scheme://host[:port]` of a URL (RFC 6454), without a slash at the end."""
    return url[: url.index("/", url.index("//") + 2)]


def host_key(url: str) -> str:
    """The politeness key: the host's name, with its port unless that is 80 or 443.

    http and https of one host share a key, because they share the machine.
    """
    host = url.split("/", 3)[2]
    if host[-1].isdigit():
        name, _, port = host.rpartition(":")
        if name and port in _DEFAULT_PORTS:
            return name
    return host


def hostname(host: str) -> str:
    """The name of a host key, its port taken off."""
    if host[-1:].isdigit():
        name, _, _ = host.rpartition(":")
        return name or host
    return host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()  # 75 ms and 3 MB: not before the first question


@lru_cache(maxsize=4096)
def registrable_domain(host: str) -> str | None:
    """The name that somebody registered (`bbc.co.uk` of `www.bbc.co.uk`) of a host name
    or key.

    None for an IP address and for a public suffix itself. By the public suffix list,
    private section included: `a.github.io` and `b.github.io` are two.
    """
    name = hostname(host).rstrip(".")
    if not name or name.startswith("[") or name.rpartition(".")[2].isdigit():
        return None
    domain = _suffixes().privatesuffix(name)
    return None if domain is None else str(domain)


class Seed(NamedTuple):
    """A URL that the user named; `assumed_https` if the user did not write the
    scheme."""

    url: str
    assumed_https: bool


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d+(?:[/?#]|$))")


def parse_seed(text: str) -> Seed:
    """What the user typed, as a URL to start from: `example.com/x` is taken for https.

    Raises UsageError saying what is wrong.
    """
    text = text.strip()
    written = _SCHEME.match(text)
    if written and written[1].lower() not in FETCHABLE:
        raise UsageError(
            f"{_shown(text)}: the scheme {written[1]} is not supported; "
            "orbweb crawls http and https"
        )
    whole = text if written else "https://" + text.lstrip("/")
    url = canonical(whole)
    if url is None:
        raise UsageError(
            f"{_shown(text)} is not a valid URL; write one such as https://example.com/"
        )
    parts = ada_url.URL(whole)
    if parts.username or parts.password:
        raise UsageError(
            f"{_shown(url)} was given with a user name, which would end up in records and logs; "
            "leave it out and give it with -u USER:PASSWORD"
        )
    return Seed(url, assumed_https=not written)


def _shown(text: str) -> str:
    """Short, and without a password that may be in it."""
    text = re.sub(r"//[^/?#]*@", "//", text)
    return repr(text if len(text) <= 200 else text[:200] + "...")
