"""The links in the header of a response: the fields `Link` and `Refresh`. No I/O.

`Link` (RFC 8288) says what a `<link>` says, and `Refresh` (HTML Standard, "shared
declarative refresh steps") what `<meta http-equiv=refresh>` says. So they are read as
those elements, which come before those of the body. Their URLs are relative to that of
the response, whatever `<base>` a body has (RFC 8288 section 3.1). A link of which
another URL is the context (`anchor`) says nothing about the response.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace

from crawler.extract.html.page import read_elements
from crawler.model.documents import (
    NOTHING,
    Declared,
    Document,
    Image,
    ImageLink,
    LeftOut,
    Link,
    Page,
    left_out_of,
)
from crawler.model.http import Response
from crawler.model.regex import compiled
from crawler.model.url import header_text, join

T = TypeVar("T", bound=Link | ImageLink)

_STRING = r'"((?:[^"\\]|\\.)*+)(?:"|\Z)'
# A URI reference contains no "<", so that each character is read once.
_LINK_VALUE = compiled(rf'<([^<>]*+)>((?:[^",]|{_STRING})*+)', re.DOTALL).finditer
_PARAMETER = compiled(
    rf";[ \t]*+([^ \t=;]++)[ \t]*+(?:=[ \t]*+(?:{_STRING}|([^;]*+)))?+", re.DOTALL
).finditer
_QUOTED_PAIR = compiled(r"\\(.)", re.DOTALL)


def with_header_links(
    document: Document, response: Response, max_links: int
) -> Document:
    """`document` with the links and images that the header of `response` names.

    All together they are at most `max_links` each. A canonical URL in the body counts
    before one in the header.
    """
    if isinstance(document, Image):
        return document
    elements = [*islice(_elements(response), max_links + 1)]
    named = read_elements(elements[:max_links], response.url, max_links)
    links = _joined(named.links, document.links)
    images = _joined(named.images, document.images)
    styles = _joined(named.styles, document.styles)
    is_cut = max(map(len, (elements, links, images, styles))) > max_links
    cut: tuple[LeftOut, ...] = ("links",) if is_cut else ()
    document = replace(
        document,
        links=links[:max_links],
        images=images[:max_links],
        styles=styles[:max_links],
        left_out=left_out_of(document.left_out, named.left_out, cut),
    )
    if isinstance(document, Page):
        declared = _declared(document.declared, named.declared)
        document = replace(document, declared=declared)
        if document.needs_javascript and any(
            link.kind == "meta_refresh" for link in named.links
        ):
            document = replace(document, needs_javascript=False)
        if named.canonical_url and document.canonical_source != "link":
            return replace(
                document,
                canonical_url=named.canonical_url,
                canonical_source="http",
            )
    return document


def _elements(response: Response) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and attributes of the elements that say the same as the fields."""
    for value in response.values("refresh"):
        yield "meta", {"http-equiv": "refresh", "content": header_text(value)}
    for value in response.values("link"):
        for attributes in link_values(header_text(value)):
            anchor = attributes.get("anchor")
            if anchor is None or join(response.url, anchor) == response.url:
                yield "link", attributes


def link_values(field: str) -> Iterator[dict[str, str]]:
    """The links of one Link field: parameters by lower-case name, the URL as `href`.

    Of two parameters with one name the first counts (RFC 8288 section 3). What is
    malformed is left out, and the links after it are read.
    """
    for found in _LINK_VALUE(field):
        attributes = {"href": found[1].strip()}
        for parameter in _PARAMETER(found[2]):
            name, string, token = parameter.groups()
            value = (token or "").strip() if string is None else _unquoted(string)
            attributes.setdefault(name.lower(), value)
        yield attributes


def _unquoted(string: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", string)


def _declared(body: Declared, header: Declared) -> Declared:
    """What the body declares, with the links of the header."""
    if header is NOTHING:
        return body
    return replace(
        body,
        feeds=tuple(dict.fromkeys(header.feeds + body.feeds)),
        alternates=tuple(dict.fromkeys(header.alternates + body.alternates)),
        amp_url=body.amp_url or header.amp_url,
    )


def _joined(first: tuple[T, ...], then: tuple[T, ...]) -> tuple[T, ...]:
    """Both in order, each URL once."""
    known = {one.url for one in first}
    return (*first, *(one for one in then if one.url not in known))
