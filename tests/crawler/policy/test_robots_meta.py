"""X-Robots-Tag and meta robots: whose words count, and what follows."""

from __future__ import annotations

import pytest

from crawler.model.crawl import Skip
from crawler.model.policy_config import RobotsConfig
from crawler.policy.robots_meta import NO_DIRECTIVES, RobotsMetaReader


def read(
    meta: str | None = None, *tags: str, **config: object
) -> tuple[str | None, ...]:
    """The rules for links, document and images."""
    settings = {"noai": True, **config}
    subject = RobotsMetaReader(RobotsConfig(**settings))  # type: ignore[arg-type]
    found = subject.read(meta, tags)
    return tuple(
        skip and skip.rule for skip in (found.nofollow, found.noai, found.noimageai)
    )


@pytest.mark.parametrize(
    ("meta", "tags", "rules"),
    [
        (None, (), (None, None, None)),
        ("noindex, noarchive", ("noindex",), (None, None, None)),
        ("NoFollow", (), ("meta robots: nofollow", None, None)),
        ("none", (), ("meta robots: none", None, None)),
        (None, ("noindex, nofollow",), ("X-Robots-Tag: nofollow", None, None)),
        (None, ("noindex", "none"), ("X-Robots-Tag: none", None, None)),
        (None, ("orbweb: nofollow",), ("X-Robots-Tag: nofollow", None, None)),
        (None, ("OrbWeb: noindex, nofollow",), ("X-Robots-Tag: nofollow", None, None)),
        (None, ("googlebot: nofollow",), (None, None, None)),
        (None, ("googlebot: noindex, nofollow",), (None, None, None)),
        (None, ("unavailable_after: 25 Jun 2010 15:00:00 PST",), (None, None, None)),
        (None, ("max-snippet: 5, nofollow",), ("X-Robots-Tag: nofollow", None, None)),
        ("noai", (), (None, "meta robots: noai", "meta robots: noai")),
        ("noimageai", (), (None, None, "meta robots: noimageai")),
        ("noai, noimageai", (), (None, "meta robots: noai", "meta robots: noimageai")),
        ("x" * 100_000 + ",nofollow", (), (None, None, None)),
    ],
)
def test_words(
    meta: str | None, tags: tuple[str, ...], rules: tuple[str | None, ...]
) -> None:
    assert read(meta, *tags) == rules


def test_what_the_user_does_not_ask_for_is_not_obeyed() -> None:
    assert read("nofollow, noai", noai=False) == ("meta robots: nofollow", None, None)
    assert read("nofollow", nofollow="ignore") == (None, None, None)
    assert RobotsMetaReader(RobotsConfig()).read(None, ()) is NO_DIRECTIVES


def test_reasons() -> None:
    found = RobotsMetaReader(RobotsConfig(noai=True)).read("none, noai", ())
    assert found.nofollow == Skip("nofollow", "meta robots: none")
    assert found.noai == Skip("noai", "meta robots: noai")
