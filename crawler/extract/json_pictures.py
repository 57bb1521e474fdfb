"""The pictures that JSON names: in scripts, in attributes, and in JSON-LD.

JSON of an application has keys of any name, so the values decide
(`addresses.py`). In JSON-LD the vocabulary of schema.org says which values are
pictures, so these count whatever they look like.

Not all of it is JSON: scripts contain object literals, comments, trailing commas. Where
it can't be decoded, the strings in it are read instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from crawler.extract.addresses import is_address, is_other_file, is_picture
from crawler.extract.css.urls import css_urls, is_shown
from crawler.extract.html.srcset import parse_srcset
from crawler.model.documents import LeaveOut
from crawler.model.regex import compiled

MAX_VALUES = 100_000
"""Values of one document; the rest is left out. Callers bound its characters."""

# A string that is never closed ends with its line.
_STRINGS = compiled(
    r'"((?:[^"\\\n]++|\\.)*+)(?:"|\\?$)'
    r"|'((?:[^'\\\n]++|\\.)*+)(?:'|\\?$)"
    r"|`([^`\\$]*+)`",
    re.MULTILINE,
).finditer
_ESCAPE = compiled(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL).sub
_LD_KEYS_NAMES = """
    image images thumbnailurl thumbnail logo photo photos primaryimageofpage
    screenshot
"""
_LD_KEYS = frozenset(_LD_KEYS_NAMES.split())
_LD_URLS = frozenset({"url", "contenturl", "thumbnailurl", "@id"})
_LD_STRINGS = compiled(
    r'"(?:image|thumbnailUrl|thumbnail|logo|photo|contentUrl)"\s*+:\s*+\[?\s*+'
    r'(?:\{[^{}]*?"(?:url|contentUrl)"\s*:\s*)?"((?:[^"\\]++|\\.)*+)"'
).finditer
_PICTURE_KEY = compiled(
    r"src|im(?:g|age)|pic|photo|bg|background|thumb|poster|orig|large|full|zoom|cover"
    r"|avatar|logo|icon|preview|medium|small|\A[sml]\Z|\Aurl\Z",
    re.IGNORECASE,
).search


def json_pictures(text: str, leave_out: LeaveOut) -> Iterator[str]:
    """The addresses of pictures in JSON, or in the source of a script, each once."""
    seen: set[str] = set()
    for key, value in _strings(text, leave_out):
        read = _nested if '"' in value else pictures_of
        found = read(key, value, leave_out)
        for url in found:
            if url not in seen:
                seen.add(url)
                yield url


def _nested(_key: str, text: str, leave_out: LeaveOut) -> Iterator[str]:
    """The pictures of JSON in a string of JSON, as Next.js sends a page in parts."""
    for key, value in _strings(text, leave_out):
        yield from pictures_of(key, value, leave_out)


def json_ld_pictures(text: str, document: Any, leave_out: LeaveOut) -> Iterator[str]:
    """The addresses of pictures in JSON-LD, by schema.org's properties.

    `document` is what `text` was decoded to; None: it is no JSON.
    """
    if document is None:
        found = [_unescape(one[1]) for one in _LD_STRINGS(text)]
    else:
        found = list(_of_schema(document, leave_out))
    for url in dict.fromkeys(one.strip() for one in found):
        if is_address(url) and not is_other_file(url):
            yield url


def _strings(text: str, leave_out: LeaveOut) -> Iterator[tuple[str, str]]:
    """The strings in `text`, each with its key; "" where it has none."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        yield from _quoted(text)
    else:
        yield from strings_of(document, leave_out)


def strings_of(document: Any, leave_out: LeaveOut) -> Iterator[tuple[str, str]]:
    """The strings of a JSON value with their keys, in document order.

    Those of a list have its key. At most MAX_VALUES are looked at.
    """
    values: list[tuple[str, Any]] = [("", document)]
    for _ in range(MAX_VALUES):
        if not values:
            return
        key, value = values.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            values.extend(reversed(value.items()))
        elif isinstance(value, list):
            values.extend((key, item) for item in reversed(value))
    if values:
        leave_out("markup")


def _quoted(text: str) -> Iterator[tuple[str, str]]:
    """The strings in the source of a script. Their keys are not known."""
    for found in _STRINGS(text):
        value = found[1] or found[2] or found[3]
        if value:
            yield "", _unescape(value)


def _unescape(text: str) -> str:
    return _ESCAPE(_decoded, text) if "\\" in text else text


def _decoded(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else found[3]


def pictures_of(key: str, value: str, leave_out: LeaveOut) -> Iterator[str]:
    """The pictures in one string: an address, a srcset, or a value of CSS."""
    value = value.strip()
    if "." not in value and "/" not in value:
        return
    if is_picture(value):
        if "/" in value or _PICTURE_KEY(key):
            yield value
    elif "url(" in value:
        yield from (one.url for one in css_urls(value) if is_shown(one))
    elif "srcset" in key.lower():
        candidates = parse_srcset(value, leave_out)
        yield from (one.url for one in candidates if is_picture(one.url))


def _of_schema(document: Any, leave_out: LeaveOut) -> Iterator[str]:
    """The pictures of a document of schema.org, depth first."""
    values: list[tuple[Any, bool]] = [(document, False)]
    for _ in range(MAX_VALUES):
        if not values:
            return
        value, wanted = values.pop()
        if isinstance(value, str):
            if wanted:
                yield value
        elif isinstance(value, list):
            values.extend((item, wanted) for item in reversed(value))
        elif isinstance(value, dict):
            values.extend(reversed(list(_members(value, wanted))))
    if values:
        leave_out("markup")


def _members(node: dict[str, Any], wanted: bool) -> Iterator[tuple[Any, bool]]:
    """The values of `node`, and whether each is a picture; `wanted`: the node is."""
    kind = node.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    picture = wanted or "ImageObject" in kinds
    keys = {str(key).lower() for key in node}
    for key, value in node.items():
        name = str(key).lower().removeprefix("schema:")
        if picture and name in _LD_URLS and isinstance(value, str):
            # "@id" is often only a name for it: "https://h/#logo"
            if name == "@id" and ("#" in value or keys & {"url", "contenturl"}):
                continue
            if name == "url" and "contenturl" in keys and not is_picture(value):
                continue
            yield value, True
        else:
            yield value, name in _LD_KEYS
