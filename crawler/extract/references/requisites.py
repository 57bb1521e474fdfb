"""The URLs that a document needs to be shown: scripts, fonts, films, frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from crawler.extract.body import MAX_URL_CHARACTERS, Body
from crawler.extract.references.reference import Reference, Role, read
from crawler.extract.references.rewrite import STYLE, Source, references, source_of
from crawler.model.crawl import Destination
from crawler.model.documents import LeaveOut, LinkKind
from crawler.model.url import Base, is_too_long

_KINDS: Mapping[Role, tuple[LinkKind, Destination]] = {
    "css": ("css", "subresource"),
    "font": ("font", "subresource"),
    "frame": ("iframe", "subresource"),
    "image": ("img", "image"),
    "import": ("css_import", "style"),
    "manifest": ("manifest", "subresource"),
    "media": ("media", "subresource"),
    "object": ("object", "subresource"),
    "preload": ("preload", "subresource"),
    "script": ("script", "subresource"),
    "style": ("stylesheet", "style"),
}


class Requisite(NamedTuple):
    """A URL that a document needs to be shown."""

    url: str
    """Absolute and canonical, without a fragment."""
    kind: LinkKind
    destination: Destination


def requisites(body: Body, leave_out: LeaveOut) -> list[Requisite]:
    """Those of a document of a rewritable type, in order, each once.

    At most `body.max_links` of them; the rest is left out.
    """
    source = source_of(body)
    found = [one for one in references(body, source) if one.start < one.end]
    base = _base(body, source, found)
    wanted: dict[str, Requisite] = {}
    characters_left = MAX_URL_CHARACTERS
    for one in found:
        kinds = _KINDS.get(one.role)
        if kinds is None:
            continue
        url = base.join(href := _read(source, one))
        if url is None and is_too_long(base.url, href):
            leave_out("links")
        if url is None or url in wanted:
            continue
        characters_left -= len(url)
        if characters_left < 0 or len(wanted) >= body.max_links:
            leave_out("links")
            break
        wanted[url] = Requisite(url, *kinds)
    return list(wanted.values())


def _base(body: Body, source: Source, found: list[Reference]) -> Base:
    charset = None if body.media_type == STYLE else source.encoding.name
    base = Base(body.url, charset)
    for one in found:
        if one.role == "base" and (joined := base.join(_read(source, one))):
            return Base(joined, charset)
    return base


def _read(source: Source, one: Reference) -> str:
    return read(source.decode(source.text[one.start : one.end]), one.syntaxes)
