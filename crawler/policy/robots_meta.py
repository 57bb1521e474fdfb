"""The robots directives of a response: `<meta name=robots>` and X-Robots-Tag. No I/O.

There is no standard; the directives are those of Google ("Robots meta tag,
data-nosnippet, and X-Robots-Tag specifications"), and DeviantArt's `noai` and
`noimageai` of 2022. A line of X-Robots-Tag may begin with the name of a crawler, and
then applies to that one only. These directives concern a crawler that publishes
nothing:

    nofollow, none     the links of the page are not followed
    noai               its content is not used for machine learning
    noimageai          nor are its images, or this image

`noindex` and the like are about search results, and are left to the reader of the
records. The options `robots.nofollow` and `robots.noai` decide which are obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from crawler.model.crawl import Skip
from crawler.model.policy_config import RobotsConfig

HEADER = "x-robots-tag"
_WITH_VALUE = (
    "unavailable_after",
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
)
_MAX_LENGTH = 1000
"""Characters of a line that are read."""


class RobotsMeta(Struct, frozen=True):
    """What the directives of a response refuse, under the configuration."""

    nofollow: Skip | None = None
    """Refuses the links of the page."""
    noai: Skip | None = None
    """Refuses the document itself."""
    noimageai: Skip | None = None
    """Refuses the images of the page, or the image that the document is."""


NO_DIRECTIVES = RobotsMeta()


class RobotsMetaReader:
    """Reads the directives that apply to one crawler."""

    def __init__(self, config: RobotsConfig) -> None:
        self._agent = config.agent.lower()
        self._nofollow = config.nofollow != "ignore"
        self._noai = config.noai

    def read(self, meta: str | None, tags: Sequence[str]) -> RobotsMeta:
        """The directives of one response.

        `meta`: the content of `<meta name=robots>`, if there is one; `tags`: the values
        of HEADER.
        """
        if not (meta or tags):
            return NO_DIRECTIVES
        lines = [(meta, "meta robots")] if meta else []
        lines += [(tag, "X-Robots-Tag") for tag in tags]
        rules: dict[str, str] = {}
        for line, source in lines:
            for word in self._words(line[:_MAX_LENGTH], source == "X-Robots-Tag"):
                rules.setdefault(word, f"{source}: {word}")
        follow = rules.get("nofollow") or rules.get("none")
        ai = rules.get("noai")
        image = rules.get("noimageai") or ai
        return RobotsMeta(
            Skip("nofollow", follow) if follow and self._nofollow else None,
            Skip("noai", ai) if ai and self._noai else None,
            Skip("noai", image) if image and self._noai else None,
        )

    def _words(self, line: str, header: bool) -> Iterator[str]:
        before, colon, after = line.partition(":")
        agent = before.strip().lower()
        if header and colon and "," not in before and agent not in _WITH_VALUE:
            if agent not in (self._agent, "*"):
                return
            line = after
        for word in line.lower().replace(";", ",").split(","):
            yield word.strip()
