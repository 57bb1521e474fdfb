"""What a page of https loads over http, or sends a form to: mixed content for an audit.

A crawl that is no mirror reads no scripts, films, objects and forms. Here they are read
of pages that may have such a URL in one, and no others. Images, style sheets and frames
are among the links of every page, and are left out.

https://www.w3.org/TR/mixed-content/, and for forms the navigation of section 6.
"""

from __future__ import annotations

from crawler.extract.body import Body
from crawler.extract.html.forms import find_forms
from crawler.extract.references.requisites import requisites
from crawler.model.documents import ImageLink, LinkKind, say_nothing

_ELSEWHERE: frozenset[LinkKind] = frozenset(
    {"script", "media", "object", "font", "preload", "manifest"}
)
_ELEMENTS = (
    b"<script", b"<audio", b"<video", b"<source", b"<track", b"<embed", b"<object",
    b"<form", b"<button", b"<input", b"<link", b"<base", b"<bgsound", b"<style",
)  # fmt: skip
_INSECURE = b"p://"
"""What is in "http://" and not in "https://", which most of the links of a page are."""
_MAX_LOOKED_AT = 200
"""URLs of http that are looked at in a page; one with more is read in any case."""
_MAX_TAG = 500
"""Bytes before a URL in which its element begins."""


def may_be_insecure(content: bytes) -> bool:
    """Whether an element that loads something may have a URL of http in it."""
    at = content.find(_INSECURE)
    for _ in range(_MAX_LOOKED_AT):
        if at < 0:
            return False
        start = content.rfind(b"<", max(0, at - _MAX_TAG), at)
        if start < 0 or content[start : start + 8].lower().startswith(_ELEMENTS):
            return True
        at = content.find(_INSECURE, at + 4)
    return at >= 0


def insecure_references(body: Body) -> tuple[ImageLink, ...]:
    """The URLs of http that the HTML page in `body` has so, each once."""
    found: dict[str, LinkKind] = {}
    for one in requisites(body, say_nothing):
        if one.kind in _ELSEWHERE and one.url.startswith("http:"):
            found.setdefault(one.url, one.kind)
    for form in find_forms(body.content, body.charset, body.url):
        if form.action.startswith("http:") and len(found) < body.max_links:
            found.setdefault(form.action, "form")
    return tuple(ImageLink(url, kind) for url, kind in found.items())
