"""File names for the URLs of a mirror: HOST/PATH, as close to the URL as is safe.

    http://a.test/                    a.test/index.html
    http://a.test/news?page=2         a.test/news@page=2.html
    http://a.test:8080/x/caf%C3%A9    a.test+8080/x/café.html

The rules are those of `wget -r -E --restrict-file-names=windows`. A folder's page is
`index`; a query follows behind `@`. A browser knows the type of a file by its
extension, so a page, a style sheet, a script, a picture, a film or XML whose name has
another one gets that of its type. Percent-encoding is undone where it is valid UTF-8,
in the form NFC; what Windows forbids in names, control characters, and a dot that would
hide a file or lead out of its folder stay percent-encoded. Names that Windows reserves
begin with `_`, and long ones are cut, with a hash of what they were.

Where two URLs would have one name in a file system that takes `A` and `a` for one, or
one would be a file where the other needs a folder (`a` and `a/b`), one of them gets a
hash of its URL. The shorter URL keeps the name, but a file gives way to a folder. Two
URLs of one folder with the same content share the file (`/` and `/index.html`).

The names depend on the set of URLs and on nothing else, so two conversions of one crawl
give the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from crawler.model.url import host_key
from crawler.output.bodies import extension
from crawler.output.images import RESERVED

MAX_NAME = 200
"""Bytes of one name; 255 are usual, and some programs add an ending."""
MAX_PATH = 1000
"""Bytes of a whole path below mirror/."""

_FORBIDDEN = frozenset('\\/:*?"<>|')
_PICTURES = {
    "image/apng": "png",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jpeg": "jpg",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/tiff": "tif",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "image/x-icon": "ico",
}
_RASTER = frozenset(
    {*_PICTURES.values(), "apng", "cur", "dib", "jfif", "jpe", "jpeg", "tiff"}
)
"""Extensions of pictures. Which one it is does not matter: their bytes tell it."""
_SHOWN = {
    "application/pdf": ("pdf",),
    "application/xhtml+xml": ("xhtml", "xht"),
    "image/svg+xml": ("svg",),
    "text/css": ("css",),
    "text/html": ("html", "htm"),
}
"""Media types that a browser shows, and the extensions by which it knows them."""
_FILM_NAMES = "flac m4a m4v mov mp3 mp4 oga ogg ogv opus wav webm"
_FILMS = frozenset(_FILM_NAMES.split())
"""Extensions of films and sounds. Which one it is does not matter, either."""
_XML = frozenset({"atom", "gpx", "kml", "opml", "rdf", "rss", "xml", "xsl", "xslt"})
_SCRIPT = ("js", "mjs")
_DOCUMENTS = frozenset({"css", "htm", "html", "pdf", "svg", "xhtml", "xht", "xml"})
"""Extensions under which a browser would take a text for a document."""


class Saved(NamedTuple):
    """A URL whose content is on disk."""

    url: str
    """Canonical."""
    media_type: str
    content: str
    """What tells the content from others: the path of its file."""


def assign(entries: Iterable[Saved]) -> dict[str, str]:
    """A path below mirror/ for each URL, with slashes, in NFC.

    No two contents have one path, also where case does not count, and no path is the
    folder of another.
    """
    wanted = sorted(
        ((one, plain_name(one.url, one.media_type)) for one in entries),
        key=lambda pair: (len(pair[0].url), pair[0].url),
    )
    folders = {folder for _, name in wanted for folder in _folders(_fold(name))}
    taken: dict[str, Saved] = {}
    names: dict[str, str] = {}
    for one, plain in wanted:
        for name in _candidates(plain, one.url):
            key = _fold(name)
            if key in folders:
                continue
            other = taken.setdefault(key, one)
            if other is one or _is_shared(one, other):
                names[one.url] = names.get(other.url, name)
                break
    return names


def reference(source: str, target: str) -> str:
    """How the file `source` refers to the file `target`, percent-encoded.

    Both are paths below mirror/.
    """
    here, there = source.split("/")[:-1], target.split("/")
    same = 0
    while same < min(len(here), len(there) - 1) and here[same] == there[same]:
        same += 1
    path = "/".join([".."] * (len(here) - same) + there[same:])
    return quote(path, safe="/!$&()*+,;=@~")


def _is_shared(one: Saved, other: Saved) -> bool:
    """Whether two URLs of one name may be one file: links in it mean the same."""
    return (
        one.content == other.content
        and one.media_type == other.media_type
        and one.url.rpartition("/")[0] == other.url.rpartition("/")[0]
    )


def _candidates(name: str, url: str) -> Iterator[str]:
    """The name, and longer ones with more and more of a hash of the URL."""
    yield name
    digest = blake2b(url.encode(), digest_size=32).hexdigest()
    folder, slash, file = name.rpartition("/")
    stem, dot, ending = file.rpartition(".")
    if not stem:
        stem, dot, ending = file, "", ""
    for length in (8, 16, 64):
        yield f"{folder}{slash}{stem}~{digest[:length]}{dot}{ending}"


def _folders(name: str) -> Iterator[str]:
    end = name.find("/")
    while end >= 0:
        yield name[:end]
        end = name.find("/", end + 1)


def _fold(name: str) -> str:
    """What file systems that know no case take for one name."""
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded))


def plain_name(url: str, media_type: str) -> str:
    """The path of a URL that has it for itself."""
    path, question, query = url.partition("://")[2].partition("?")
    _, *folders, last = path.split("/")
    host = host_key(url).replace(":", "+")
    file = _file_name(last, f"@{query}" if question else "", media_type)
    parts = [_harmless(host), *(_harmless(one) for one in folders if one), file]
    name = "/".join(parts)
    if len(name.encode()) > MAX_PATH:
        ending = file.rpartition(".")[2]
        digest = blake2b(url.encode(), digest_size=16).hexdigest()
        name = (
            f"{parts[0]}/~{digest}.{ending}"
            if ending != file
            else (f"{parts[0]}/~{digest}")
        )
    return name


def _file_name(segment: str, query: str, media_type: str) -> str:
    stem, dot, ending = segment.rpartition(".")
    ending = ending.lower() if stem and dot and not query else ""
    added = _added(ending, media_type, is_folder=not segment and not query)
    name = _harmless((segment or "index") + query, len(added))
    return _unreserved(name + added)


def _added(ending: str, media_type: str, *, is_folder: bool) -> str:
    """What is added to a name with this ending, with its dot; "" for nothing."""
    known = extension(media_type)
    if (picture := _PICTURES.get(media_type)) is not None:
        return "" if ending in _RASTER else f".{picture}"
    if media_type.startswith(("audio/", "video/")):
        return "" if ending in _FILMS or known == "bin" else f".{known}"
    if known in _XML:
        return "" if ending in _XML else ".xml"
    if known == "js":
        accepted: tuple[str, ...] = _SCRIPT
    elif media_type in _SHOWN:
        accepted = _SHOWN[media_type]
    elif is_folder or ending in _DOCUMENTS.difference({known}):
        return "" if known == "bin" else f".{known}"
    else:
        return ""
    return "" if ending in accepted else f".{accepted[0]}"


def _harmless(segment: str, more: int = 0) -> str:
    """A segment of a URL as a name of at most MAX_NAME bytes, `more` bytes left out."""
    text = _unquoted(segment) if "%" in segment else segment
    name = "".join(map(_escaped, unicodedata.normalize("NFC", text)))
    name = unicodedata.normalize("NFC", name)
    if name[:1] in ". ":
        name = _escape(name[0]) + name[1:] if name else "_"
    if name[-1:] in ". ":
        name = name[:-1] + _escape(name[-1])
    limit = MAX_NAME - more
    if len(name.encode()) > limit:
        digest = blake2b(segment.encode(), digest_size=4).hexdigest()
        stem, dot, ending = name.rpartition(".")
        tail = f"~{digest}{dot}{ending}" if stem and len(ending) <= 8 else f"~{digest}"
        kept = name.encode()[: limit - len(tail.encode())].decode("utf-8", "ignore")
        name = kept.rstrip(". ") + tail
    return _unreserved(name)


def _unreserved(name: str) -> str:
    return f"_{name}" if RESERVED.match(name) else name


def _unquoted(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return segment


def _escaped(character: str) -> str:
    if character in _FORBIDDEN or unicodedata.category(character)[0] == "C":
        return _escape(character)
    if character != " " and unicodedata.category(character)[0] == "Z":
        return _escape(character)
    return character


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
