"""The check of what a page says about its own links and images.

There is no standard. `nofollow` of `<meta name=robots>` and of X-Robots-Tag are
Google's words (see `robots_meta.py`), `rel=nofollow` is of the HTML Standard (section
4.6.7, "Link types"). The option `robots.nofollow` decides which of them are obeyed:
`page` obeys the first two, `link` obeys `rel` too, `ignore` obeys none.
"""

from __future__ import annotations

from crawler.model.crawl import Skip
from crawler.model.policy_config import RobotsConfig
from crawler.policy.check import FOUND, Candidate


class NofollowCheck:
    """Refuses what the page that links, or the link itself, tells crawlers to leave."""

    name = "nofollow"
    moments = FOUND

    def __init__(self, config: RobotsConfig) -> None:
        self._obey_rel = config.nofollow == "link"

    def check(self, candidate: Candidate) -> Skip | None:
        if candidate.directive is not None:
            return candidate.directive
        if candidate.nofollow and self._obey_rel:
            return Skip("nofollow", f"rel: {candidate.rel}")
        return None
