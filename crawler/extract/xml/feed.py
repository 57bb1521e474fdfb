"""The links of feeds: RSS 0.9 to 2.0, and Atom (RFC 4287, paging by RFC 5005)."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.extract.html.links import LinkCollector
from crawler.extract.xml.parser import Element

ROOTS = frozenset({"rss", "RDF", "feed"})
_ATOM = "http://www.w3.org/2005/Atom"
_FOLLOWED = frozenset(
    {"alternate", "next", "prev", "previous", "first", "last", "prev-archive"}
)


def read_feed(elements: Iterable[Element], links: LinkCollector) -> None:
    """Add the pages and images of a feed; not its videos, sounds and comment feeds."""
    for element in elements:
        _read(element, links)
        if links.full:
            return


def _read(element: Element, links: LinkCollector) -> None:
    if _is_image(element):
        values = element.attributes
        links.add_image(values.get("url") or values.get("href") or element.text, "feed")
    elif element.name == "link":
        _read_link(element, links)
    elif (
        element.name == "guid"
        and element.attributes.get("isPermaLink", "true") == "true"
    ):
        links.add(element.text if "://" in element.text else "", "feed")


def _read_link(element: Element, links: LinkCollector) -> None:
    """RSS has the URL as text, Atom as an attribute."""
    href = element.attributes.get("href")
    if href is None:
        links.add(element.text, "feed")
    elif element.attributes.get("rel", "alternate") in _FOLLOWED:
        links.add(href, "feed")


def _is_image(element: Element) -> bool:
    name, values = element.name, element.attributes
    if name == "enclosure" or (name == "link" and values.get("rel") == "enclosure"):
        return values.get("type", "").startswith("image/")
    if name == "content" and element.namespace != _ATOM:  # of Media RSS
        medium = values.get("medium") or values.get("type", "").partition("/")[0]
        return medium == "image"
    if name in ("logo", "icon"):
        return element.namespace == _ATOM
    # An `image` with an href is a podcast's; RSS's own contains a `url`.
    return (
        name == "thumbnail"
        or (name == "image" and "href" in values)
        or (name == "url" and element.parent == "image")
    )
