"""The scope's decision about a URL that was found before, under other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.model.config import Config
from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.policy.chain import scope_checks
from crawler.policy.check import Candidate, Chain
from crawler.policy.scope import Scope


def scope_check(
    config: Config, redirects: Iterable[tuple[str, bytes]]
) -> Callable[[str, LinkKind, Destination, int], Skip | None]:
    """Decides again, under today's scope, about a URL that an earlier crawl found.

    `redirects`: the metadata of the kind SEED_REDIRECTS.
    """
    scope = Scope(config.scope, config.seeds, redirects)
    check_found = Chain(scope_checks(config.scope, scope)).check_found

    def check(
        url: str, kind: LinkKind, destination: Destination, depth: int
    ) -> Skip | None:
        return check_found(Candidate(url, kind, destination, depth))

    return check
