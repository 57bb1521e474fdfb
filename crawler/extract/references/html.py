"""The references of an HTML document, an XHTML document or an SVG image.

They are found by attribute and element, as the HTML Standard has them (its index of
attributes), with those of SVG and the obsolete ones that browsers still follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from crawler.extract.html.images import ICONS, PLAIN
from crawler.extract.html.lazy import LISTS, pictures
from crawler.extract.html.page import REFRESH
from crawler.extract.html.srcset import candidate_spans
from crawler.extract.html.tags import (
    AttributeSpan,
    attribute_spans,
    decode_references,
    start_tags,
)
from crawler.extract.references.css import css_references
from crawler.extract.references.reference import Reference, Role, Text
from crawler.model.documents import say_nothing

_GUARDS = ("integrity", "crossorigin")
_POLICIES = frozenset(
    {
        "content-security-policy",
        "content-security-policy-report-only",
        "x-content-security-policy",
        "x-webkit-csp",
    }
)
_SRCSETS = frozenset({"srcset", "imagesrcset"})
_IMAGE_ELEMENTS = frozenset({"image", "img", "input"})
_LINKS = frozenset({"action", "formaction", "cite", "longdesc", "href", "xlink:href"})
_IMAGES = frozenset({"poster", "background", "lowsrc", "dynsrc"})
_SOURCES: Mapping[str, Role] = {
    "audio": "media",
    "bgsound": "media",
    "embed": "object",
    "frame": "frame",
    "iframe": "frame",
    "image": "image",
    "img": "image",
    "input": "image",
    "script": "script",
    "source": "media",
    "track": "media",
    "video": "media",
}
"""What `src` is for, by element."""
_HREFS: Mapping[str, Role] = {
    "feimage": "image",
    "image": "image",
    "script": "script",
    "use": "image",
}
"""What `href` is for, by element of SVG."""
_PRELOADS: Mapping[str, Role] = {
    "script": "script",
    "style": "style",
    "image": "image",
    "document": "link",
}
"""What `<link rel=preload>` is for, by `as`."""
_CHARSET = re.compile(
    r"charset[\t\n\f\r ]*=[\t\n\f\r ]*[\"']?([^\"'\t\n\f\r ;]+)", re.IGNORECASE
).search
_XML_STYLE = re.compile(r"<\?xml-stylesheet\s([^>]*?)\?>").finditer
_PROLOGUE = 4096
"""Characters of an XML document in which its style sheets are looked for."""


def html_references(
    document: Text, *, xml: bool = False, nested: bool = False
) -> Iterator[Reference]:
    """Where the URLs of `document` stand, in order.

    `xml`: it is XHTML or SVG. `nested`: it stands in a `srcdoc`, whose base URL is that
    of the document around it.
    """
    scanner = _Scanner(document, xml, nested)
    if xml:
        yield from _style_sheets_of_xml(document)
    for name, written, _, end, content_end in start_tags(
        document.text, xml=xml, forms=True
    ):
        if written:
            yield from scanner.element(name, written, end - 1 - len(written))
        if name == "style" and content_end > end:
            yield from scanner.style(end, content_end)


def _style_sheets_of_xml(document: Text) -> Iterator[Reference]:
    """Those of `<?xml-stylesheet href="..."?>` (W3C xml-stylesheet)."""
    for found in _XML_STYLE(document.text, 0, _PROLOGUE):
        for one in attribute_spans(found[1]):
            if one.name == "href" and one.end > one.start:
                start = found.start(1)
                value = document.attribute(start + one.start, start + one.end)
                yield value.place(0, len(value.text), "style")


class _Element:
    """The attributes of one start tag, by their names."""

    def __init__(self, document: Text, name: str, written: str, start: int) -> None:
        self.name = name
        self.document = document
        self.start = start
        self.spans = {one.name: one for one in attribute_spans(written)}
        self.values = {
            one.name: decode_references(written[one.start : one.end])
            if one.end > one.start
            else ""
            for one in self.spans.values()
        }
        at = document.at
        self.guards = tuple(
            at(start + self.spans[guard].at) for guard in _GUARDS if guard in self.spans
        )

    def value(self, span: AttributeSpan) -> Text:
        return self.document.attribute(self.start + span.start, self.start + span.end)

    def place(self, span: AttributeSpan, role: Role) -> Reference:
        """The whole value of an attribute, but for white space at its ends."""
        value = self.value(span)
        text = value.text
        stripped = text.strip("\t\n\f\r ")
        start = text.find(stripped)
        quoted = self.document.text[self.start + span.start - 1] in "\"'"
        return value.place(start, start + len(stripped), role, self.guards, quoted)


class _Scanner:
    def __init__(self, document: Text, xml: bool, nested: bool) -> None:
        self._document = document
        self._xml = xml
        self._nested = nested
        self._based = nested

    def style(self, start: int, end: int) -> Iterator[Reference]:
        """The content of a style element, which in XML is no raw text."""
        document = self._document
        if self._xml and document.text.find("<![CDATA[", start, end) < 0:
            yield from css_references(document.attribute(start, end))
        else:
            yield from css_references(document.part(start, end))

    def element(self, name: str, written: str, start: int) -> Iterator[Reference]:
        element = _Element(self._document, name, written, start)
        if name == "meta":
            yield from _meta(element)
        for span in element.spans.values():
            if span.end < span.start:
                continue
            if span.name == "style":
                yield from css_references(element.value(span))
            elif span.name == "srcdoc" and name == "iframe":
                yield from self._srcdoc(element.value(span))
            elif span.name in _SRCSETS:
                yield from _candidates(element, span, "image")
            elif name == "base" and span.name == "href":
                yield from self._base(element.place(span, "base"))
            elif (role := _role(element, span.name)) is not None:
                yield element.place(span, role)
            else:
                yield from _lazy(element, span)

    def _base(self, found: Reference) -> Iterator[Reference]:
        if not self._based:
            self._based = True
            yield found

    def _srcdoc(self, value: Text) -> Iterator[Reference]:
        if not self._nested:
            yield from html_references(value, nested=True)


def _role(element: _Element, attribute: str) -> Role | None:
    name = element.name
    if attribute == "src":
        return _SOURCES.get(name, "link")
    if attribute == "data" and name == "object":
        return "object"
    if attribute == "manifest" and name == "html":
        return "link"
    if attribute in _IMAGES:
        return "image"
    if attribute not in _LINKS:
        return None
    if attribute == "href" and name == "link":
        return _role_of_link(element.values)
    return _HREFS.get(name, "link") if attribute.endswith("href") else "link"


def _role_of_link(values: Mapping[str, str]) -> Role:
    rels = values.get("rel", "").lower().split()
    if "stylesheet" in rels:
        return "style"
    if not ICONS.isdisjoint(rels):
        return "image"
    if "manifest" in rels or "search" in rels:  # of an application, of a search
        return "manifest"
    if "modulepreload" in rels:
        return "script"
    if "preload" in rels:
        return _PRELOADS.get(values.get("as", "").lower(), "preload")
    return "link"


def _meta(element: _Element) -> Iterator[Reference]:
    """A refresh, a policy, a declaration of the encoding."""
    values, spans = element.values, element.spans
    equivalent = values.get("http-equiv", "").strip().lower()
    content = spans.get("content")
    if "charset" in spans:
        yield element.place(spans["charset"], "charset")
    if equivalent in _POLICIES:
        at = element.document.at(element.start + spans["http-equiv"].at)
        yield Reference(at, at, "policy")
    elif content is None or content.end < content.start:
        return
    elif equivalent == "refresh":
        value = element.value(content)
        if found := REFRESH(value.text):
            yield value.place(*found.span(found.lastindex or 0), "link")
    elif equivalent == "content-type":
        value = element.value(content)
        if found := _CHARSET(value.text):
            yield value.place(*found.span(1), "charset")


def _candidates(
    element: _Element, span: AttributeSpan, role: Role
) -> Iterator[Reference]:
    value = element.value(span)
    for start, end in candidate_spans(value.text):
        if value.text[start : start + 5].lower() != "data:":
            yield value.place(start, end, role, element.guards)


def _lazy(element: _Element, span: AttributeSpan) -> Iterator[Reference]:
    """What an attribute for scripts holds, if it is nothing but pictures."""
    name, value = span.name, element.values[span.name]
    if name in PLAIN or not value:
        return
    if name in LISTS:
        if "|" not in value and "[" not in value:
            yield from _candidates(element, span, "lazy")
        return
    img = element.name in _IMAGE_ELEMENTS
    all_found = pictures(name, value, element.values, say_nothing, img=img)
    found = [one.url for one in all_found]
    if found == [value.strip()]:
        yield element.place(span, "lazy")
