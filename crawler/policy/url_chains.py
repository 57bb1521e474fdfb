"""The bound on URLs that name the next one: style sheets that import, answers of APIs.

A server can make such a chain endless. So each URL of one is kept with its place: 1 if
it is the first that another one names. The depth of the page does not help, since that
need have no bound either.
"""

from __future__ import annotations

from msgspec.structs import replace

from crawler.model.crawl import Discovered, Lease, Skip
from crawler.model.metadata import API_REQUEST, IMPORT_DEPTH, KeyValue, read_number

MAX_IMPORT_DEPTH = 5


class UrlChain:
    """The places of URLs in chains of one kind, of which `maximum` may follow a first.

    `kind` is that of the metadata; `skip` refuses what is beyond the maximum.
    """

    def __init__(self, metadata: KeyValue, kind: str, maximum: int, skip: Skip) -> None:
        self._metadata = metadata
        self._kind = kind
        self._maximum = maximum
        self._skip = skip

    def check(self, lease: Lease) -> Skip | None:
        """Whether what the body of `lease` names is beyond the maximum."""
        return self._skip if self._place(lease) >= self._maximum else None

    def record(self, lease: Lease, named: str) -> None:
        """The body of `lease` names the URL `named`."""
        place = b"%d" % (self._place(lease) + 1)
        self._metadata.set(self._kind, named, place)

    def limited(self, lease: Lease, named: list[Discovered]) -> list[Discovered]:
        """What the body of `lease` names, refused where it is beyond the maximum."""
        too_far = self.check(lease)
        if too_far is not None:
            return [replace(one, skip=one.skip or too_far) for one in named]
        for one in named:
            if one.skip is None:
                self.record(lease, one.url)
        return named

    def _place(self, lease: Lease) -> int:
        """A redirect leads to the same place, or every one would begin a new chain."""
        urls = [lease.url, *(hop.url for hop in lease.redirects)]
        return max(read_number(self._metadata, self._kind, url) for url in urls)


def style_imports(metadata: KeyValue) -> UrlChain:
    """The style sheets that style sheets import."""
    skip = Skip("depth", f"@import: more than {MAX_IMPORT_DEPTH} deep")
    return UrlChain(metadata, IMPORT_DEPTH, MAX_IMPORT_DEPTH, skip)


def requisites(metadata: KeyValue) -> UrlChain:
    """SVG images that show others, frames in frames (`bodies.mirror`)."""
    skip = Skip("depth", f"requisites: more than {MAX_IMPORT_DEPTH} deep")
    return UrlChain(metadata, IMPORT_DEPTH, MAX_IMPORT_DEPTH, skip)


def api_answers(metadata: KeyValue, max_requests: int) -> UrlChain:
    """The answers of an `[[api]]`."""
    skip = Skip("limit_api", f"api.max_requests: {max_requests}")
    return UrlChain(metadata, API_REQUEST, max_requests - 1, skip)
