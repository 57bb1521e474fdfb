"""Where the redirects of seeds end, and what follows for the scope. No I/O.

A seed may answer from elsewhere: by redirects, or by a page that goes on by `Refresh`
to another. All of its chain is fetched (`policy/scope.py` lets it pass), and where it
ends is kept, for a resume and for `orbweb explain`. Whether the scope then widens is
the scope's decision. Hosts that a chain only passes through never count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.model.crawl import Lease
from crawler.model.documents import Link, refresh_target
from crawler.model.metadata import SEED_REDIRECTS, KeyValue
from crawler.policy.scope import Scope

MAX_NOTICES = 20
"""Redirected seeds that are told to the user; a list of seeds may have many."""


class SeedRedirects:
    """Learns where the seeds of one crawl lead, and widens its scope."""

    def __init__(
        self, scope: Scope, metadata: KeyValue, notice: Callable[[str], None]
    ) -> None:
        self._scope = scope
        self._metadata = metadata
        self._notice = notice
        self._told = 0

    def ended(self, lease: Lease, links: Iterable[Link]) -> None:
        """What a seed redirects to has come, with `links`: its chain may end here."""
        seed, url = lease.seed_url, lease.url
        if seed is None:
            return
        onward = refresh_target(url, links)
        if onward is not None and all(link.url == onward for link in links):
            return  # it has nothing but where the seed goes on
        known = self._metadata.get(SEED_REDIRECTS, url)
        if known is not None and self._scope.follows(known.decode(), url):
            return
        self._metadata.set(SEED_REDIRECTS, url, seed.encode())
        words = None
        if not self._scope.holds(url):
            words = self._scope.redirect_words(seed, url)
        self._scope.add_redirected(seed, url)  # perhaps only its images are outside
        if words is not None:
            self._tell(words)

    def _tell(self, text: str) -> None:
        self._told += 1
        if self._told <= MAX_NOTICES:
            self._notice(text)
        elif self._told == MAX_NOTICES + 1:
            where = "`orbweb explain URL` tells where"
            self._notice(f"more seeds redirect elsewhere; {where}")
