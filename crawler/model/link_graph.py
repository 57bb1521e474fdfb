"""The link graph: what each document links to, as the state keeps it.

    Page + record -> OutLinks     with the outcome, in the commit of its record
    OutLinks -> SourceLinks       read back from the state, one document at a time

A document names each URL once, with the text of the first link to it. That includes
what is not followed: links that leave the scope, and images that are not fetched.
"""

from __future__ import annotations

from msgspec import Struct

from crawler.model.documents import Alternate, ImageLink, Link, LinkKind
from crawler.model.http import Hop

MAX_TEXT = 200
"""Characters of a link's text that are kept, and of a `rel`."""


class FoundLinks(Struct, frozen=True):
    """All that a document refers to, as it was extracted."""

    links: tuple[Link, ...]
    images: tuple[ImageLink, ...] = ()
    redirects: tuple[Hop, ...] = ()
    """The hops that lead to `links`, if they are where a redirect points."""
    alternates: tuple[Alternate, ...] = ()
    """What a sitemap says of translations, as `File.alternates`."""


class DocumentFacts(Struct, frozen=True, array_like=True):
    """What an audit needs to know of a document beside its links."""

    status: int | None = None
    fetch_ms: int | None = None
    """Time of the whole exchange."""
    body_bytes: int | None = None
    """Decoded."""
    title: str | None = None
    """Text of `<title>`; no Open Graph stands in for it here."""
    description: str | None = None
    """`<meta name=description>` alone."""
    canonical_url: str | None = None
    """Link `rel=canonical` of the page or of its header."""
    robots_meta: str | None = None
    alternates: tuple[Alternate, ...] = ()
    """Links `rel=alternate` with a `hreflang`; of a sitemap, its `File.alternates`."""


class OutLinks(Struct, frozen=True):
    """A document's links and facts, for the state."""

    found: FoundLinks
    facts: DocumentFacts = DocumentFacts()


NO_LINKS = OutLinks(FoundLinks(()))
"""For a URL that has no links any more."""


class OutLink(Struct, frozen=True, gc=False):
    """One link of a document, as the state has it."""

    target: int
    """Number of the URL in the order of discovery; 0: the crawl does not know it."""
    url: str | None
    """The URL itself where the number is 0."""
    kind: LinkKind
    text: str | None
    """Text of the link, or alternative text of the image; at most MAX_TEXT."""
    rel: str | None = None


class SourceLinks(Struct, frozen=True):
    """A document of the state, and its links in document order."""

    number: int
    """Place of the document in the order of discovery."""
    url: str
    facts: DocumentFacts
    links: tuple[OutLink, ...]
