"""Bodies of pages and files on disk: which are saved, and under which name.

    <html ...>   ->  bodies/3f/3f0c...e1.html       the name is the hash of the bytes

The name is made of the SHA-256 of the decoded body and of the media type, so nothing of
the network is in it but one word of a table. Two media types of the same bytes share
the file of the first. It is a plain file, not a compressed one, because users open it:
WARC is the compressed form of the same thing. The folders of two digits keep each small
enough to be listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import lru_cache
from re import compile as compile_pattern
from re import fullmatch

from crawler.model.documents import is_json
from crawler.output.files import BODIES

_JAVASCRIPT = (
    "text/javascript", "application/javascript", "application/x-javascript",
    "application/ecmascript", "text/ecmascript", "text/jscript",
)  # fmt: skip
"""JavaScript MIME types that are still sent (WHATWG MIME Sniffing, section 4.6)."""

NAMES: dict[str, tuple[str, ...]] = {
    "html": ("text/html", "application/xhtml+xml"),
    "pdf": ("application/pdf",),
    "json": ("application/json", "text/json", "*/*+json"),
    "css": ("text/css",),
    "js": _JAVASCRIPT,
    "xml": ("text/xml", "application/xml", "*/*+xml"),
    "text": ("text/*",),
    "all": ("*/*",),
}
"""The short names of `--save`, and the media types that they stand for."""

_EXTENSIONS = {
    "text/html": "html",
    "application/xhtml+xml": "xhtml",
    "application/pdf": "pdf",
    "text/css": "css",
    **dict.fromkeys(_JAVASCRIPT, "js"),
    **dict.fromkeys(("text/xml", "application/xml"), "xml"),
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/rdf+xml": "rdf",
    "image/svg+xml": "svg",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/markdown": "md",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "application/rtf": "rtf",
    "application/wasm": "wasm",
    "application/zip": "zip",
    "application/epub+zip": "epub",
    **dict.fromkeys(("application/gzip", "application/x-gzip"), "gz"),
    "application/x-tar": "tar",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/zstd": "zst",
    "application/x-7z-compressed": "7z",
    "application/vnd.rar": "rar",
    "application/java-archive": "jar",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/postscript": "ps",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
}

_MEDIA_RANGE = r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+"
_MAX_TYPES = 4096

Saves = Callable[[str], bool]
"""Whether a body of this media type (lower case, no parameters) is saved."""


def saves(types: Sequence[str]) -> Saves | None:
    """The choice that `types` make; None if they choose nothing.

    Raises ValueError with a sentence for the user.
    """
    patterns = [pattern for name in types for pattern in _media_ranges(name)]
    if not patterns:
        return None
    matches = compile_pattern("|".join(map(translate, patterns))).match

    @lru_cache(maxsize=_MAX_TYPES)
    def chosen(media_type: str) -> bool:
        return matches(media_type) is not None

    return chosen


def _media_ranges(name: str) -> tuple[str, ...]:
    name = name.strip().lower()
    if name in NAMES:
        return NAMES[name]
    if fullmatch(_MEDIA_RANGE, name):
        return (name,)
    known = ", ".join(NAMES)
    raise ValueError(
        f"{name!r} is none of {known}, and no media type such as application/pdf or "
        "text/*"
    )


def body_path(sha256: str, media_type: str) -> str:
    """The path of a body in the crawl's folder. `sha256`: hexadecimal."""
    return f"{BODIES}/{sha256[:2]}/{sha256}.{extension(media_type)}"


def extension(media_type: str) -> str:
    """The extension of a media type (lower case, no parameters); `bin` if unknown."""
    known = _EXTENSIONS.get(media_type)
    if known is not None:
        return known
    if is_json(media_type):
        return "json"
    if media_type.endswith("+xml"):
        return "xml"
    return "txt" if media_type.startswith("text/") else "bin"
