"""Traps: which pages are skipped, which are fetched now, and what they showed.

The theory stands in `crawler/policy/traps/__init__.py`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec.structs import replace

from crawler.model.crawl import Lease, Skip
from crawler.model.documents import Page
from crawler.model.metadata import KeyValue
from crawler.model.policy_config import LimitsConfig
from crawler.model.url import host_key, url_id
from crawler.policy.check import FOUND_AND_DUE, Candidate
from crawler.policy.traps import case_variants, name_mazes
from crawler.policy.traps.relation import UNRELATED, Relation, relation
from crawler.policy.traps.score_table import MAX_WEIGHT, ScoreTable
from crawler.policy.traps.scores import SAMPLE, Cut, Scores
from crawler.policy.traps.templates import (
    NO_SHAPE,
    Shape,
    is_key,
    roles_of,
    shape_of,
    varies,
    without,
)
from crawler.policy.traps.unit import (
    CREDIT,
    FREE,
    Suspicion,
    Unit,
    alternate_views,
    self_linking,
)

LISTED = frozenset(
    {"seed", "sitemap", "sitemap_index", "robots_sitemap", "feed", "api"}
)
"""How URLs are found that the user or the site has named on purpose."""
NOT_LINKS = LISTED | {"redirect"}
PICTURES = frozenset(
    {
        "img", "srcset", "source", "css", "icon", "og", "lazy", "json", "json_ld",
        "stylesheet", "css_import",
    }
)  # fmt: skip
"""How images and style sheets are found that may turn out to be pages."""
_PICTURE_FILE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|svg|bmp)(?:\?|$)", re.IGNORECASE
).search
MAX_SUBSTITUTES = 4096
MAX_CUTS = 3
"""A wide unit is cut, too, once so many narrower ones were in its place."""


class Admission(NamedTuple):
    """A page that is being fetched.

    It names the units that are charged if the page brings nothing new, and the reason.
    """

    scores: Scores
    shape: Shape
    suspects: list[Unit]
    suspicion: Suspicion


class Traps:
    """Learns the traps of one crawl.

    What is cut is kept in `metadata`, for a resume, and so are the scores of hosts
    beyond `max_weight` in memory.
    """

    name = "traps"
    moments = FOUND_AND_DUE

    def __init__(
        self, config: LimitsConfig, metadata: KeyValue, max_weight: int = MAX_WEIGHT
    ) -> None:
        self._config = config
        self.table = ScoreTable(metadata, max_weight)
        self._admitted: dict[int, Admission] = {}
        self._substitutes: set[str] = set()
        self._parent = "", NO_SHAPE
        self._page = "", "", ""  # URL, host, and what all URLs of its origin begin with

    # What is skipped

    def check(self, candidate: Candidate) -> Skip | None:
        """Whether the URL leads on from a template that was cut.

        A link to another origin is not checked before it is due, since the scores of
        that host may be out of memory. The target of a redirect is not checked either:
        the URL without its keys takes its place when it is due. A page that an earlier
        crawl found new is fetched again.
        """
        url, parent_url = candidate.url, candidate.parent_url
        if parent_url is None or candidate.destination != "page":
            return None
        if candidate.due:
            if candidate.kind in LISTED or candidate.recrawled:
                return None
        else:
            if candidate.kind in NOT_LINKS:
                return None
            if parent_url != self._page[0]:  # the links of a page come in a row
                site = parent_url[: parent_url.index("/", 8) + 1]
                self._page = parent_url, host_key(parent_url), site
            _, host, site = self._page
            scores = self.table.of(host)
            if not url.startswith(site):
                return None
            if "?" not in url:
                scores.top_names.add(url, len(site))
            if not scores.cuts:  # most often
                return None
        found = self._cut(url, parent_url, candidate.depth)
        return None if found is None else Skip("trap", found[1].rule)

    def substitute(self, candidate: Candidate) -> str | None:
        """The URL without its cut keys, to fetch in place of one that is refused."""
        url = candidate.url
        found = self._cut(url, candidate.parent_url, candidate.depth)
        if found is None or not is_key(found[0]):
            return None
        cuts = self.table.of(host_key(url)).cuts
        shape = shape_of(url)
        substitute = url
        for key in shape.keys:
            if key in cuts or shape.part + key in cuts:
                substitute = without(substitute, key)
        if len(self._substitutes) >= MAX_SUBSTITUTES:
            self._substitutes.clear()
        self._substitutes.add(substitute)
        return substitute

    def save(self) -> None:
        """Save the scores for a resume."""
        self.table.save()

    # What is fetched, and what comes of it

    def admit(self, lease: Lease) -> bool:
        """Whether the page may be fetched now; `release` then says that this is over.

        False where others have to come first, since they may end its template.
        """
        if lease.destination != "page" or not self._config.traps:
            return True
        scores = self.table.of(lease.host)
        shape = shape_of(lease.url, scores.folders, record=True)
        units = scores.units_of(shape, lease.depth)
        admission = self._admission(lease, scores, shape, units)
        if any(unit.is_full() for unit in admission.suspects):
            return False
        scores.changed = True
        scores.under_way += 1
        scores.case_variants.add(lease.url)
        if not shape.keys and not scores.top_names.is_open(shape.first):
            scores.top_names.open(shape.first)
            scores.new_names.fetched += 1
        for unit in units:
            unit.fetched += 1
        for unit in admission.suspects:
            unit.under_way += 1
        self._admitted[lease.url_id] = admission
        return True

    def release(self, lease: Lease) -> None:
        """The request for an admitted page is over."""
        admission = self._admitted.pop(lease.url_id, None)
        if admission is not None:
            admission.scores.under_way -= 1
            for unit in admission.suspects:
                unit.under_way -= 1

    def record(self, lease: Lease, body: bytes, page: Page) -> None:
        """An admitted page has come; `body` has its content codings undone."""
        admission = self._admitted.get(lease.url_id)
        if admission is None:
            return
        if lease.kind in PICTURES:
            page = _with_named_pictures(page)
        new = self._is_new(lease, admission, body, page)
        if admission.suspicion != "case_variant":
            admission.scores.case_variants.set_page(lease.url, page)
        if new:
            for unit in admission.suspects:
                unit.earn()
            self._reward_parent(lease, admission.scores)
        elif new is not None:
            view = admission.suspicion == "alternate_view"
            self._charge(lease.host, admission, SAMPLE if view else 1)

    def record_nothing_new(self, lease: Lease) -> None:
        """An admitted URL leads nowhere but to what was known, or is out of scope."""
        admission = self._admitted.get(lease.url_id)
        if admission is not None and admission.suspects:
            self._charge(lease.host, admission, 1)

    # Suspicion

    def _admission(
        self, lease: Lease, scores: Scores, shape: Shape, units: list[Unit]
    ) -> Admission:
        """Whether the page may bring nothing new, and which units are charged then."""
        if lease.kind in LISTED:
            return Admission(scores, shape, [], "")
        if scores.case_variants.is_variant(lease.url):
            unit = scores.case_variants_unit
            units.append(unit)
            return Admission(scores, shape, [unit], "case_variant")
        related = self._relation(lease.url, shape, lease.parent_url)
        if suspects := self_linking(units, shape, lease.depth, related):
            return Admission(scores, shape, suspects, "self_linking")
        if suspects := alternate_views(units, related):
            return Admission(scores, shape, suspects, "alternate_view")
        opens = scores.new_names.fetched >= FREE and _opens_name(
            scores, lease.url, shape, lease.parent_url, lease.depth
        )
        return Admission(scores, shape, [scores.new_names] if opens else [], "new_name")

    def _relation(self, url: str, shape: Shape, parent_url: str | None) -> Relation:
        """How the URL is related to the page that links to it."""
        if parent_url is None or host_key(parent_url) != host_key(url):
            return UNRELATED
        if parent_url != self._parent[0]:  # most often it is that of the last request
            self._parent = parent_url, shape_of(parent_url)
        return relation(url, shape, parent_url, self._parent[1])

    def _cut(
        self, url: str, parent_url: str | None, depth: int
    ) -> tuple[str, Cut] | None:
        """The cut unit of the URL by which it leads on from itself, if there is one."""
        scores = self.table.of(host_key(url))
        cuts = scores.cuts
        if not cuts or parent_url is None:
            return None
        variants, names = case_variants.NAME, name_mazes.NAME
        if variants in cuts and scores.case_variants.is_variant(url):
            return variants, cuts[variants]
        shape = shape_of(url, scores.folders)
        if names in cuts and _opens_name(scores, url, shape, parent_url, depth):
            return names, cuts[names]
        linking, returning, view = self._relation(url, shape, parent_url)
        # A substitute has no key any more that its links could share.
        substituted = parent_url in self._substitutes
        for role in roles_of(shape):
            cut = cuts.get(role.name)
            if cut is None or (role.level == "part" and not shape.combined):
                continue
            if role.key in returning or (role.key in view and role.level != "part"):
                return role.name, cut
            if (role.key in linking or substituted) and depth > cut.entry:
                return role.name, cut
        return None

    # Yield

    def _is_new(
        self, lease: Lease, admission: Admission, body: bytes, page: Page
    ) -> bool | None:
        """Whether the page has new content; None if unknown, or not examined."""
        scores, url = admission.scores, lease.url
        suspects, suspicion = admission.suspects, admission.suspicion
        seen = scores.seen
        if suspicion == "case_variant":
            return scores.case_variants.differs(url, page)
        if not suspects:
            has_views = "?" in url or varies(admission.shape.path)
            if has_views and scores.sample(url, page):
                seen.differs(url, body, page.images)
            return True
        if suspicion == "alternate_view":
            sampled = url_id(lease.parent_url or "") in scores.sampled
            return seen.differs(url, body, page.images) if sampled else None
        if not sum(unit.is_due() for unit in suspects):
            return None
        if suspicion == "new_name":
            ignored = name_mazes.names_of(url, page)
            new = seen.is_new(url, body, page.images, unordered=False, ignored=ignored)
            return new or (False if scores.top_names.has_new(page, url) else None)
        if seen.is_new(url, body, page.images, unordered=admission.shape.repeats):
            return True
        # A substitute says what was read under another URL.
        substituted = url in self._substitutes
        if substituted and scores.expects_duplicate(admission.shape):
            return None
        return False

    def _reward_parent(self, lease: Lease, scores: Scores) -> None:
        parent = lease.parent_url
        if scores.charged and parent is not None and host_key(parent) == lease.host:
            scores.reward(shape_of(parent, scores.folders))

    def _charge(self, host: str, admission: Admission, price: int) -> None:
        """Nothing new: charge the likeliest cause, and cut what is at its end."""
        scores, shape = admission.scores, admission.shape
        narrow, wide = _causes(admission)
        scores.charged = True
        if (
            narrow is not None
            and narrow.charge(price)
            and self.table.cut(host, scores, narrow)
        ):
            if shape.keys and is_key(narrow.name):
                scores.limit_keys(shape.part)
            if wide is not None:
                # The cause is found: it need not be looked for any wider.
                wide.credit = min(wide.limit, wide.credit + CREDIT)
                wide.cuts += 1
        if wide is not None and (wide.charge(price) or wide.cuts >= MAX_CUTS):
            self.table.cut(host, scores, wide)


def _with_named_pictures(page: Page) -> Page:
    """`page`, which was found as an image, with images that have the name of one.

    The others may be pages as it is, one leading to the next without end.
    """
    named = [image for image in page.images if _PICTURE_FILE(image.url)]
    return replace(page, images=tuple(named))


def _causes(admission: Admission) -> tuple[Unit | None, Unit | None]:
    """The likeliest cause of a page without new content, and the next wider unit."""
    scores, shape, suspects, suspicion = admission
    if suspicion == "new_name":
        return scores.new_names, None
    by_name = {unit.name: unit for unit in suspects}
    keys = [key for key in shape.keys if shape.part + key in by_name]
    narrow = wide = None
    if keys:
        key = min(keys, key=lambda key: by_name[shape.part + key].credit)
        narrow, wide = by_name[shape.part + key], by_name.get(key)
    elif not shape.keys:
        narrow, wide = by_name.get(shape.path), by_name.get(f"{shape.part}/...")
    if suspicion == "case_variant":
        narrow = scores.case_variants_unit
    return narrow, wide


def _opens_name(
    scores: Scores, url: str, shape: Shape, parent_url: str | None, depth: int
) -> bool:
    """Whether the URL opens a new name at the top and is not exempt."""
    if depth <= scores.new_names.entry or shape.keys:
        return False
    if scores.top_names.is_open(shape.first):
        return False
    if parent_url is None or host_key(parent_url) != host_key(url):
        return False
    return name_mazes.top_of(parent_url.partition("?")[0]) not in ("", shape.first)
