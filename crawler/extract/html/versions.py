"""Versions of one picture: what an element offers a browser to choose from.

    <picture><source srcset="a.avif 800w, b.avif 1600w">
             <img src="a.jpg" data-src="b.jpg"></picture>

An `<img>` with its `srcset` and its attributes for scripts, the `<source>` elements
before it, and the picture to which it links as its thumbnail are one picture. Which of
them is the best is said by descriptors, by names, and by the place where it stands:

    linked picture > data-orig, data-full, data-zoom ... > widest or densest candidate
    > data-src and the like > src > data-thumb and the like

What scripts load is before `src`, where a placeholder stands until then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from crawler.extract.html.sizes import width_by_sizes
from crawler.extract.html.srcset import Candidate
from crawler.model.documents import Picture

THUMB, SRC, LAZY, DESCRIBED, NAMED, LINKED = 0, 1, 2, 10, 10**7, 10**8
"""How good a version is where nothing else tells; descriptors add to DESCRIBED."""
PIXELS_OF_1X = 1000
"""What a density of 1 counts as, beside widths in pixels."""

_LARGE = re.compile(
    r"orig(?!in-?src)|full|zoom|hi-?gh?-?res|hires|high|retina|2x|large|raw|hq"
).search
_SMALL = re.compile(r"thumb|tmb|small|preview|placeholder|mobile").search


class Offer:
    """The versions of one picture, as they are found: each with how good it is."""

    __slots__ = ("formats", "sizes", "versions", "widths")

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        """By URL as written."""
        self.widths: dict[str, int] = {}
        """Pixels, of those with a width descriptor."""
        self.sizes = ""
        self.formats: dict[str, str] = {}
        """Media types by URL, of those with a declared one."""

    def add(self, url: str, rank: int) -> None:
        self.versions[url] = max(rank, self.versions.get(url, rank))

    def add_candidate(self, candidate: Candidate) -> None:
        """Add a candidate of a `srcset`."""
        if candidate.width is not None:
            self.widths.setdefault(candidate.url, candidate.width)
            self.add(candidate.url, DESCRIBED + candidate.width)
        else:
            density = candidate.density or 1.0
            self.add(candidate.url, DESCRIBED + int(PIXELS_OF_1X * min(density, 100)))


def rank_of_attribute(name: str) -> int:
    """How good what an attribute for scripts names is."""
    if _SMALL(name):
        return THUMB
    return NAMED if _LARGE(name) else LAZY


def pictures_of(
    offers: Iterable[Offer | str], absolute: Callable[[str], str | None]
) -> tuple[Picture, ...]:
    """The pictures that have several versions, and those that are one of another's.

    `absolute` makes a URL as written absolute; None: it is none. A text among `offers`
    is the URL of an image without other versions.
    """
    found = [_picture(_offer(one), absolute) for one in offers if one]
    several = {url for one in found if len(one.versions) > 1 for url in one.versions}
    # An image that stands alone elsewhere is shown there, whatever is better here.
    wanted = [one for one in found if not several.isdisjoint(one.versions)]
    return tuple(dict.fromkeys(wanted))


def _offer(one: Offer | str) -> Offer:
    if isinstance(one, str):
        url, one = one, Offer()
        one.add(url, SRC)
    return one


def _picture(offer: Offer, absolute: Callable[[str], str | None]) -> Picture:
    ranks: dict[str, int] = {}
    widths: dict[str, int] = {}
    for written, rank in offer.versions.items():
        url = absolute(written)
        if url is not None:
            ranks[url] = max(rank, ranks.get(url, rank))
            if written in offer.widths:
                widths[url] = offer.widths[written]
    versions = sorted(ranks, key=ranks.__getitem__, reverse=True)
    shown = _shown(versions, widths, offer.sizes)
    if not offer.formats:
        return Picture(tuple(versions), shown)
    formats = {absolute(written): kind for written, kind in offer.formats.items()}
    return Picture(tuple(versions), shown, tuple(formats.get(v, "") for v in versions))


def _shown(versions: Sequence[str], widths: dict[str, int], sizes: str) -> int:
    """Which version a browser would show (HTML Standard, "select an image source")."""
    if not widths:
        return 0
    wanted = width_by_sizes(sizes)
    wide = [url for url in versions if widths.get(url, 0) >= wanted]
    fitting = min(wide, key=widths.__getitem__) if wide else max(widths, key=widths.get)  # type: ignore[arg-type]
    return versions.index(fitting)
