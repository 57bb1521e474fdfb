"""The names of pictures on disk, made from what the network says.

The name is made from the user's template and from what comes of the network: the host,
the segments of the URL's path, the picture's format, and fields of an API. Each is made
harmless *before* it is put into the template, so that nothing of the network can reach
another folder, hide a file, or end up as a device of some other system on which the
folder is unpacked. The hash in the name keeps apart what differs, also where a file
system takes `A.png` and `a.png` for one; where the template has too little of it, the
whole hash is added.

How the files are written, and are whole or absent: `files.py`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any, Protocol
from urllib.parse import unquote

from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.model.url import host_key
from crawler.output.files import IMAGES, Content, ContentFiles, Journal

_FIELDS = {
    "host", "path", "stem", "sha256", "ext", "format", "width", "height", "page_title",
    "index",
}  # fmt: skip
_DATA = "data."
"""How the fields begin that are values of the record's `data`."""
EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}

_MAX_STEM = 80
_MAX_HOST = 100
_MAX_FOLDERS = 8
_MAX_FOLDER = 40
"""Folders of a URL's path, the last ones, and bytes of each."""
_MAX_SIDE = 10**9
_MAX_DATA = 60
_MAX_NAME = 255
"""Bytes of one name in the usual file systems."""

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")

# Most are harmless as they stand, but for their length and the reserved ones.
_HARMLESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

# Forbidden in names on Windows or a burden in shells; control characters are found by
# category.
_UNSAFE = re.compile(r"""[/\\:*?"'<>|\s`$&;!#%~^{}()\[\]]+""")
RESERVED = re.compile(
    r"(?:con|prn|aux|nul|clock\$|com\d|lpt\d|conin\$|conout\$)(?:\.|$)", re.I
)


class ImageFacts(Struct, frozen=True):
    """What else an image's name may be made of; 0: unknown."""

    width: int = 0
    height: int = 0
    data: Mapping[str, Any] = {}
    folder: str = IMAGES
    """Damaged ones have their own."""
    page_title: str = ""
    number: int = 0
    """Its place among the images of the page."""


UNKNOWN = ImageFacts()


class ImageStore(Protocol):
    """Where a crawl keeps its images, and the bodies that it saves."""

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Remove what an earlier run left behind without a record."""
        ...

    def holds(self, name: str, size: int | None = None) -> bool:
        """Whether the file `name`, as `put` gave it, is there, or will be.

        With `size` (bytes): whether it is so large.
        """
        ...

    def read(self, name: str, limit: int) -> bytes | None:
        """Its bytes; None if it is not there, or larger than `limit`."""
        ...

    def put(
        self,
        data: Content,
        url: str,
        sha256: str,
        image_format: str,
        facts: ImageFacts = UNKNOWN,
    ) -> str:
        """Keep the image `data`, whose hash is `sha256`; its path in the folder."""
        ...

    def keep(self, name: str, data: Content, sha256: str) -> str:
        """Keep `data` as the file `name`, or one like it; its path in the folder."""
        ...

    def remove(self, name: str, sha256: str) -> None:
        """Remove the file `name`, whose hash is `sha256`, once that is committed."""
        ...

    def flush(self) -> None:
        """Write what was put. Raises OutputError."""
        ...

    def settle(self) -> None:
        """Everything written so far has its record."""
        ...


class UnsavedImages:
    """Names images as ImageFiles does, and writes nothing."""

    def __init__(self, template: str) -> None:
        self._template = template

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Nothing was left behind."""

    def holds(self, name: str, size: int | None = None) -> bool:
        return False

    def read(self, name: str, limit: int) -> bytes | None:
        return None

    def put(
        self,
        data: Content,
        url: str,
        sha256: str,
        image_format: str,
        facts: ImageFacts = UNKNOWN,
    ) -> str:
        return image_path(self._template, url, sha256, image_format, facts)

    def keep(self, name: str, data: Content, sha256: str) -> str:
        return name

    def remove(self, name: str, sha256: str) -> None:
        """There is no file."""

    def flush(self) -> None:
        """Nothing is written."""

    def settle(self) -> None:
        """Nothing was written."""


class ImageFiles(ContentFiles):
    """Contents on disk, with the names of images by the user's template.

    Raises UsageError for an unusable template.
    """

    def __init__(
        self, folder: Path, template: str, journal: Journal, part: str = ""
    ) -> None:
        super().__init__(folder, journal, part)
        self._template = template
        check_template(template)

    def put(
        self,
        data: Content,
        url: str,
        sha256: str,
        image_format: str,
        facts: ImageFacts = UNKNOWN,
    ) -> str:
        """Keep an image, whose hash is `sha256`; its path in the crawl's folder.

        It is there after the next `flush`.
        """
        name = image_path(self._template, url, sha256, image_format, facts)
        return self.keep(name, data, sha256)


def image_path(
    template: str,
    url: str,
    sha256: str,
    image_format: str,
    facts: ImageFacts = UNKNOWN,
) -> str:
    """The path of an image in the crawl's folder, by the user's template."""
    image_format = _label(image_format, 10) or "bin"
    values: dict[str, str | int] = {
        "host": _label(host_key(url), _MAX_HOST) or "host",
        "stem": _harmless(_stem(url), _MAX_STEM) or "image",
        "sha256": sha256,
        "ext": EXTENSIONS.get(image_format, image_format),
    }
    if _fields(template) <= values.keys():  # most often
        return f"{facts.folder}/{template.format(**values)}"
    values |= {
        "format": image_format,
        "width": min(facts.width, _MAX_SIDE),
        "height": min(facts.height, _MAX_SIDE),
        "index": min(facts.number, _MAX_SIDE),
        "page_title": _harmless(facts.page_title, _MAX_STEM) or "untitled",
        "path": _folders(url),
    }
    name = _Template().vformat(template, (), _WithData(values, facts.data))
    return "/".join(filter(None, (facts.folder, *name.split("/"))))


@lru_cache(maxsize=8)
def _fields(template: str) -> frozenset[str]:
    """The names of the fields of a template."""
    fields = (field for _, field, _, _ in Formatter().parse(template))
    return frozenset(field for field in fields if field is not None)


class _Template(Formatter):
    """As `str.format`, but that a dot is a part of a name."""

    def get_field(self, field_name: str, _args: Any, kwargs: Any) -> tuple[Any, str]:
        return kwargs[field_name], field_name


class _WithData(dict[str, Any]):
    """The values of a template's fields, with those of `data` made harmless."""

    def __init__(self, values: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._data = data

    def __missing__(self, name: str) -> str:
        value = self._data.get(name.removeprefix(_DATA))
        if value is None or isinstance(value, (dict, list)):
            return "none"
        return _harmless(str(value)[: 4 * _MAX_DATA], _MAX_DATA) or "none"


def _folders(url: str) -> str:
    """The folders of the URL's path, each made harmless; "" for the root."""
    path = url.partition("://")[2].partition("?")[0].partition("/")[2]
    names = path.split("/")[:-1]
    harmless = (
        _harmless(unquote(name, errors="replace"), _MAX_FOLDER)
        for name in names[-_MAX_FOLDERS:]
    )
    return "/".join(filter(None, harmless))


def check_template(template: str) -> None:
    """Refuse a template that leaves the folder or may make names too long."""
    wrong = f"images.name: {template!r} is no template: "
    try:
        fields = _fields(template)
        unknown = {one for one in fields - _FIELDS if not one.startswith(_DATA)}
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in [*sorted(_FIELDS), "data.NAME"])
            raise UsageError(
                f"{wrong}there is no {{{sorted(unknown)[0]}}}; write one of {known}"
            )
        longest = _Template().vformat(template, (), _longest(fields))
    except (ValueError, LookupError, AttributeError) as error:
        raise UsageError(f"{wrong}{error}") from error
    if any(part in ("", ".", "..") for part in longest.split("/")) or "\0" in longest:
        raise UsageError(
            f"images.name: {template!r} must be a relative path without '.' and '..'"
        )
    if any(len(os.fsencode(part)) + 65 > _MAX_NAME for part in longest.split("/")):
        raise UsageError(
            f"images.name: {template!r} makes names that are too long for a disk"
        )


def _longest(fields: Iterable[str]) -> dict[str, Any]:
    """The longest values that the fields of a template can have."""
    return dict.fromkeys(fields, "d" * _MAX_DATA) | {
        "host": "h" * _MAX_HOST,
        "path": "p" * (_MAX_FOLDER + 1),  # it may be reserved
        "stem": "s" * _MAX_STEM,
        "sha256": "0" * 64,
        "ext": "e" * 10,
        "format": "f" * 10,
        "width": _MAX_SIDE,
        "height": _MAX_SIDE,
        "page_title": "t" * _MAX_STEM,
        "index": _MAX_SIDE,
    }


def _stem(url: str) -> str:
    """The last segment of the URL's path, decoded, without extension."""
    path = url.partition("://")[2].partition("?")[0].partition("/")[2]
    name = path.rstrip("/").rpartition("/")[2]
    if "%" in name:
        name = unquote(name, errors="replace")
    ending = _EXTENSION.search(name)
    return name if ending is None else name[: ending.start()]


@lru_cache(maxsize=256)
def _label(text: str, limit: int) -> str:
    """`_harmless` of a host or a format: a few of them are in nearly all names."""
    return _harmless(text, limit)


def _harmless(text: str, limit: int) -> str:
    """`text` as part of a file name: NFC, printable, at most `limit` bytes.

    It may be "".

    A leading dot would hide the file, a leading dash would make it an option. NFC comes
    first because it turns some characters into unsafe ones (U+037E into a semicolon),
    and last because what stood between two others may have gone.
    """
    if len(text) > limit or not _HARMLESS.fullmatch(text):
        text = _made_harmless(text, limit)
    return f"_{text}" if RESERVED.match(text) else text


def _made_harmless(text: str, limit: int) -> str:
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", text))
    text = "".join(
        c for c in text if unicodedata.category(c)[0] not in "CZ" and c != "\ufffd"
    )
    text = unicodedata.normalize("NFC", text)
    return (
        text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip("._- ")
    )
