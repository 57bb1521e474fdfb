"""Traps end by themselves, and what only looks like one is crawled whole."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.engine.builder import Summary, open_crawl
from crawler.frontier.memory import MemoryStore
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import ImageLink, Link, Page
from crawler.model.policy_config import LimitsConfig, PolitenessConfig, RobotsConfig
from crawler.model.url import canonical
from crawler.policy.check import Candidate
from crawler.policy.traps import Traps
from crawler.policy.traps.scores import Scores
from crawler.policy.traps.templates import shape_of
from crawler.policy.traps.unit import CREDIT, FREE
from crawler.workspace.open import stored_config
from tests.helpers.cpu import cpu_within
from tests.site import archives, name_mazes, views
from tests.site import traps as endless
from tests.site.page import Page as Entry
from tests.site.page import reply
from tests.site.server import Site
from tests.site.traps import WORDS, links, sentence

SAFE = ";/?=&,.:"
COST = 200
"""Requests that a trap may cost beyond its true content."""
PAGES = [*endless.PAGES, *views.PAGES, *archives.PAGES]
HANDLERS = {entry.name: entry.answer for entry in PAGES}


def crawl(site: Site, folder: Path, path: str, at_once: int) -> Summary:
    config = Config(
        seeds=(site.url(path),),
        dir=str(folder),
        politeness=PolitenessConfig(per_host=at_once, wait=0.0, adaptive=False),
        limits=LimitsConfig(max_pages=7000),
        images=ImagesConfig(fetch=False),
        robots=RobotsConfig(obey=False),
        records=OutputConfig(record=("skips",)),
        concurrency=at_once,
    )
    return open_crawl(config, mode="new").run()


@pytest.fixture(scope="module")
def traps() -> Any:
    site = Site(HANDLERS)
    yield site
    site.stop()


# What is worth a request, as a pattern for it, and how many there are.
CONTENT = {
    "calendar": (r"/calendar/2024/5$", 1),
    "chain": (r"/chain/0$", 1),
    "query": (r"/query\?w=0$", 1),
    "deeper": (r"/deeper/$", 1),
    "cycle": (r"/cycle/$", 1),
    "session": (r"/session/(\d+)", 24),
    "matrix": (r"/matrix/(\d+)", 24),
    "shop": (r"/shop$", 1),
    "facets": (r"/facets/$", 1),
    "archive": (r"/archive/((?:page/)?\d+)$", 5050),
    "thin": (r"/thin(/\d+)?$", 1001),
    "wide": (r"/wide/(\d+)", 60),
    "catalogue": (r"/catalogue\?id=(\d+)", 1000),
    "serial": (r"/serial/(\d+)$", 600),
    "readings": (r"/readings/(\d+)$", 300),
    "slipped": (r"/slipped/(?:about/team/|news/today/|help/|)$", 1),
    "exhausted": (r"/exhausted\?page=(\d|1\d|20)$", 20),
    "cookieless": (r"/cookieless/.*/(\d+)$", 24),
    "tags": (r"/tags/$", 1),
    "search": (r"/search\?q=amber$", 1),
    "blog": (r"/blog/(\d*)$", views.POSTS + 1),
    "shelf": (r"/shelf/(\d+)", 24),
    "case-variants": (r"/case-variants/.*/(\d+)$", views.VARIANT_ITEMS),
    "planner": (r"/planner", 1),
    "leaves": (r"/leaves\?page=(\d+)$", archives.LEAVES),
    "wiki": (r"/wiki/(\w+)$", archives.ARTICLES),
    "forum": (r"/forum(.*)", archives.forum_pages()),
}


@pytest.mark.parametrize("at_once", [8, 32])
@pytest.mark.parametrize(
    "entry",
    [entry for entry in PAGES if entry.name in CONTENT],
    ids=lambda entry: entry.name,
)
def test_a_trap_costs_little_and_its_true_content_is_there(
    traps: Site, tmp_path: Path, entry: Entry, at_once: int
) -> None:
    traps.forget()
    summary = crawl(traps, tmp_path, entry.path, at_once)
    pattern, true = CONTENT[entry.name]
    found = (re.match(pattern, hit.target) for hit in traps.log)
    read = {match.groups() for match in found if match}
    assert summary.finish_reason == "done"
    assert len(traps.log) - true < COST
    assert len(read) == true


def test_a_run_that_is_stopped_begins_no_trap_anew(traps: Site, tmp_path: Path) -> None:
    traps.forget()
    crawl(traps, tmp_path / "whole", "/chain/0", 1)
    asked = len(traps.log)
    traps.forget()
    config = stored_config(tmp_path / "whole")
    for pages in (20, 35, 7000):
        limits = replace(config.limits, max_pages=pages)
        part = replace(config, dir=str(tmp_path / "parts"), limits=limits)
        open_crawl(part, mode="new" if pages == 20 else "resume").run()
    assert len({hit.target for hit in traps.log}) == asked


TOGETHER = [
    entry for entry in PAGES if entry.name in CONTENT.keys() - {"archive", "wiki"}
]


def test_what_one_part_of_a_site_does_says_nothing_about_the_others(
    tmp_path: Path,
) -> None:
    """All traps on one host, with too many other pages to distinguish their names."""
    words = [f"{one}-{other}" for one in WORDS for other in WORDS[:5]]
    index = links(*words, *(entry.path for entry in TOGETHER))
    site = Site(
        {"": reply(index), **HANDLERS, **dict.fromkeys(words, reply("<p>a page"))}
    )
    crawl(site, tmp_path, "/", 8)
    site.stop()
    for entry in TOGETHER:
        pattern, true = CONTENT[entry.name]
        hits = [
            hit.target for hit in site.log if re.match(rf"/{entry.name}\b", hit.target)
        ]
        assert len(hits) - true < COST, entry.name
        read = {
            match.groups() for target in hits if (match := re.match(pattern, target))
        }
        assert len(read) == true, entry.name


# ------------------------------------------------------------------ names at the top


@pytest.mark.parametrize("branches", [2, 6, 50])
@pytest.mark.parametrize("form", name_mazes.FORMS)
def test_a_maze_of_words_at_the_top_costs_little(
    tmp_path: Path, form: str, branches: int
) -> None:
    site = Site(name_mazes.maze(form, branches))
    summary = crawl(site, tmp_path, "/", 8)
    site.stop()
    assert summary.finish_reason == "done"
    assert len(site.log) < COST


@pytest.mark.parametrize("name", name_mazes.REAL_SITES)
def test_a_site_with_its_pages_at_the_top_is_read_whole(
    tmp_path: Path, name: str
) -> None:
    handler, pattern, true = name_mazes.REAL_SITES[name]
    site = Site(name_mazes.AnyPage(handler))
    crawl(site, tmp_path, "/", 8)
    site.stop()
    found = (re.match(pattern, hit.target) for hit in site.log)
    read = {
        match[1]
        for match in found
        if match and match[1] not in ("", "robots", "members")
    }
    assert len(read) >= true - 1  # the home page may be one of them


# ------------------------------------------------------------------ by itself


def lease(url: str, parent: str | None, depth: int, number: int = 1) -> Lease:
    return Lease(url, number, "a.example", "a", "page", depth, 0, 0, parent)


def found(url: str, parent: str | None, depth: int) -> Candidate:
    """A link of the page `parent`."""
    return Candidate(url, "a", "page", depth, parent)


def fetch(subject: Traps, page: Lease, text: str, **more: Any) -> None:
    assert subject.admit(page)
    subject.record(page, text.encode(), Page("text/html", "utf-8", **more))
    subject.release(page)


def walk(subject: Traps, count: int, text: str = "<p>the same", start: int = 0) -> None:
    """Pages of a chain, each of which leads to the next."""
    for n in range(start, start + count):
        fetch(subject, lease(f"{CHAIN}{n}", f"{CHAIN}{n - 1}", n), text)


due = Candidate.of_lease
CHAIN = "http://a.example/month/"


def test_a_cut_names_its_template_and_survives_a_resume() -> None:
    metadata = MemoryStore()
    subject = Traps(LimitsConfig(), metadata)
    walk(subject, FREE + CREDIT)
    assert subject.check(found(f"{CHAIN}50", f"{CHAIN}49", 50)) is None
    walk(subject, 2, start=FREE + CREDIT)
    skip = Skip("trap", "limits.traps: /month/# gave nothing new, after 41 pages")
    for one in (subject, Traps(LimitsConfig(), metadata)):
        assert one.check(found(f"{CHAIN}50", f"{CHAIN}49", 50)) == skip
        assert one.check(due(lease(f"{CHAIN}50", f"{CHAIN}49", 50))) == skip
        assert (
            one.check(found(f"{CHAIN}50", "http://a.example/news", 50)) is None
        )  # from elsewhere
        assert one.check(found(f"{CHAIN}50", "http://b.example/month/1", 50)) is None
        assert one.check(found("http://a.example/month", f"{CHAIN}49", 50)) is None
        assert one.substitute(found(f"{CHAIN}50", f"{CHAIN}49", 50)) is None
        assert (
            one.check(due(replace(lease(f"{CHAIN}50", None, 0), kind="seed"))) is None
        )  # a seed


def test_a_picture_or_numbers_of_its_own_make_a_page_new() -> None:
    for text, picture in (
        ("<p>{n}.25 <p>{n}.5 <p>{n}.75 <p>{n}.125", "x"),
        ("", "{n}.jpg?{n}"),
    ):
        subject = Traps(LimitsConfig(), MemoryStore())
        for n in range(3 * CREDIT):
            image = ImageLink(f"http://a.example/{picture.format(n=n)}", "img")
            page = lease(f"{CHAIN}{n}", f"{CHAIN}{n - 1}", n)
            fetch(subject, page, text.format(n=n), images=(image,))
        assert subject.check(found(f"{CHAIN}999", f"{CHAIN}998", 999)) is None


@pytest.mark.parametrize(
    "text",
    [
        "<p>Month {n}, {n}/2024 at 12:{n}",
        "<p class='{n}' id=a{n}>Month",
        "<!-- made in {n}.5 ms --><script>var n = 'word{n}'</script><p>Month",
        "<p>Visitor {n}.55<p>Session 0af{n}c",
    ],
)
def test_dates_counters_markup_and_scripts_make_none(text: str) -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(FREE + CREDIT + 3):
        walk(subject, 1, text.format(n=n), start=n)
    assert subject.check(found(f"{CHAIN}99", f"{CHAIN}98", 99)) is not None


def test_no_more_of_a_suspect_are_under_way_than_it_has_credit() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    walk(subject, FREE + CREDIT - 3)
    leases = [lease(f"{CHAIN}{n}", f"{CHAIN}{n - 1}", n, n) for n in range(100, 110)]
    admitted = [one for one in leases if subject.admit(one)]
    assert len(admitted) == 4  # the first one that is looked at is new
    assert subject.admit(lease("http://a.example/other", CHAIN, 9, 99))
    for one in admitted[:2]:
        subject.record(one, b"<p>the same", Page("text/html", "utf-8"))
        subject.release(one)
    assert not subject.admit(leases[8])
    subject.release(admitted[2])  # it failed
    assert subject.admit(leases[8])


def test_a_template_that_yields_is_not_held_up() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(3 * CREDIT):
        walk(subject, 1, f"<p>{chr(97 + n % 26) * (n // 26 + 1)}", start=n)
    assert all(
        subject.admit(lease(f"{CHAIN}{n}", f"{CHAIN}{n - 1}", n, n))
        for n in range(100, 200)
    )


def test_a_view_that_says_more_is_worth_it_and_one_that_does_not_is_cut() -> None:
    answer, further = "<p>Reply to {n}", "<p>" + "more of {n} " * 20
    for more, ends in (("", True), (answer, True), (further, False)):
        subject = Traps(LimitsConfig(), MemoryStore())
        for n in range(60):
            url = f"http://a.example/post/{n}"
            text = "".join(f"<p>{sentence(n * 9 + k)}" for k in range(9))
            links = (Link(f"{url}?view=1", "a"),)
            fetch(subject, lease(url, "http://a.example/", 1, n), text, links=links)
            other = text + more.format(n=WORDS[n % 14] + WORDS[n // 14])
            if subject.check(found(f"{url}?view=1", url, 2)) is None:
                fetch(subject, lease(f"{url}?view=1", url, 2, 1000 + n), other)
        assert (subject.check(found(f"{url}?view=1", url, 2)) is not None) is ends
        assert subject.check(found(f"{url}?view=1", "http://a.example/news", 2)) is None


def test_pages_that_take_the_place_of_others_may_say_what_these_said() -> None:
    """A session id is cut after 100 pages, which are then read once more without it."""
    subject = Traps(LimitsConfig(), MemoryStore())
    item = "http://a.example/shop/item"
    parent = f"{item}/0?sid=x"

    def say(url: str, depth: int, n: int) -> None:
        page = lease(url, parent, depth)
        assert subject.check(due(page)) is None
        fetch(subject, page, f"<p>{WORDS[n % 14]} {WORDS[n // 14]}")

    n = 0
    while subject.check(found(f"{item}/{n}?sid=last", parent, 3)) is None:
        say(f"{item}/{n % 100}?sid={n}", 1 + min(n, 2), n % 100)
        n += 1
    assert n < 400
    for n in range(100):
        url = f"{item}/{n}?sid=last"
        assert subject.check(found(url, parent, 4)) is not None
        assert subject.substitute(found(url, parent, 4)) == f"{item}/{n}"
        say(f"{item}/{n}", 4, n)


def test_redirects_that_lead_nowhere_new_end_too() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(FREE + CREDIT):
        url = f"http://a.example/post/{n}"
        page = lease(f"{url}?share=x", url, 2)
        assert subject.check(due(page)) is None
        assert subject.admit(page)
        subject.record_nothing_new(page)
        subject.release(page)
    rule = "limits.traps: /post?share= gave nothing new, after 40 pages"
    assert subject.check(due(page)) == Skip("trap", rule)


def test_a_case_variant_is_requested_until_it_is_known_to_be_in_vain() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(CREDIT):
        for path in (f"/Item/{n}", f"/item/{n}"):
            page = lease(f"http://a.example{path}", "http://a.example/", 1)
            assert subject.check(due(page)) is None
            fetch(subject, page, f"<p>item {n}")
    fetch(
        subject, lease("http://a.example/Last", "http://a.example/", 1), "<p>the last"
    )
    skip = Skip(
        "trap", "limits.traps: another case of letters gave nothing new, after 32 pages"
    )
    assert subject.check(found("http://a.example/LAST", "http://a.example/", 1)) == skip
    assert subject.check(found("http://a.example/Last", "http://a.example/", 1)) is None
    assert subject.check(found("http://a.example/NEW", "http://a.example/", 1)) is None


def test_where_case_counts_every_variant_is_requested() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(3 * CREDIT):
        for name, title in (("Item", "one"), ("item", "other")):
            page = lease(f"http://a.example/{name}/{n}", "http://a.example/", 1)
            assert subject.check(due(page)) is None
            fetch(subject, page, "<p>item", title=title)


def test_traps_can_be_switched_off() -> None:
    subject = Traps(LimitsConfig(traps=False), MemoryStore())
    walk(subject, 200)
    assert subject.check(found(f"{CHAIN}50", f"{CHAIN}49", 50)) is None


def test_text_made_to_be_slow_takes_no_time() -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    with cpu_within(5):
        for part in (
            "<",
            "<!--",
            "<script>",
            "<script",
            "<p",
            "0",
            "a0",
            "0.",
            "<template></",
        ):
            walk(subject, FREE + 3, part * (300_000 // len(part)))


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_address_has_templates(path: str, parent: str) -> None:
    urls = [
        canonical(f"http://a.example/{quote(text, safe=SAFE)}")
        for text in (path, parent)
    ]
    url, other = (one or CHAIN for one in urls)
    subject = Traps(LimitsConfig(), MemoryStore())
    for n in range(FREE + CREDIT + 2):
        fetch(subject, lease(url, other, n), "x")
        subject.check(due(lease(url, other, n)))
        subject.substitute(found(url, other, n))


# ------------------------------------------------------------------ names at the top,
# by itself


def open_names(subject: Traps, parent: str, depth: int) -> None:
    """Pages found on `parent` without content, which link to new names."""
    for n in range(FREE + CREDIT + 1):
        page = lease(f"http://a.example/{name_mazes.word(n)}/", parent, depth)
        if subject.check(due(page)) is None:
            onward = (Link(f"http://a.example/{name_mazes.word(1000 + n)}", "a"),)
            fetch(subject, page, f"<h1>{name_mazes.word(n)}</h1>", links=onward)


SECTION = "http://a.example/section/"
UNOPENED = "http://a.example/unopened/5"


@pytest.mark.parametrize(
    ("parent", "depth", "ends"),
    [(SECTION, 2, True), (SECTION, 1, False), ("http://a.example/", 2, False)],
)
def test_names_that_a_seed_or_the_home_page_lists_are_read(
    parent: str, depth: int, ends: bool
) -> None:
    subject = Traps(LimitsConfig(), MemoryStore())
    open_names(subject, parent, depth)
    unit = "new names at the top of the site"
    rule = f"limits.traps: {unit} gave nothing new, after 40 pages"
    skip = subject.check(found(UNOPENED, SECTION, 9))
    assert skip == (Skip("trap", rule) if ends else None)


def test_below_a_name_that_is_open_all_is_read_also_by_the_next_run() -> None:
    metadata = MemoryStore()
    first = Traps(LimitsConfig(), metadata)
    open_names(first, SECTION, 2)
    for subject in (
        first,
        Traps(LimitsConfig(), metadata),
    ):  # killed: nothing was put away
        assert subject.check(found(UNOPENED, SECTION, 9)) is not None
        assert subject.check(due(lease(UNOPENED, SECTION, 9))) is not None
        assert (
            subject.check(
                found(f"http://a.example/{name_mazes.word(3)}/new", SECTION, 9)
            )
            is None
        )
        assert subject.check(found("http://a.example/unopened/6", UNOPENED, 9)) is None
        assert subject.check(found(UNOPENED, "http://b.example/", 9)) is None
        assert subject.check(due(lease(UNOPENED, "http://b.example/x", 9))) is None
        assert (
            subject.check(due(replace(lease(UNOPENED, SECTION, 9), kind="sitemap")))
            is None
        )


# ------------------------------------------------------------------ many hosts


def month(host: int, n: int) -> Lease:
    """A page of the chain of one of many hosts."""
    chain = f"http://h{host}.example/month/"
    return Lease(
        f"{chain}{n}", host, f"h{host}.example", "a", "page", n, 0, 0, f"{chain}{n - 1}"
    )


def small_memory() -> Traps:
    """With room for few hosts in memory."""
    return Traps(LimitsConfig(), MemoryStore(), max_weight=300)


def in_turn(subject: Traps, hosts: int, pages: int) -> list[int]:
    """Request two pages of each host in turn, as the frontier does.

    Returns the number of requests to each host.
    """
    asked = [0] * hosts
    for n in range(0, pages, 2):
        for host in range(hosts):
            for page in (month(host, n), month(host, n + 1)):
                if subject.check(due(page)) is None:
                    fetch(subject, page, f"<p>Month {n} of host {host}")
                    asked[host] += 1
    return asked


def test_a_trap_is_none_the_cheaper_for_hosts_that_take_turns() -> None:
    subject = small_memory()
    assert in_turn(subject, 40, 60) == in_turn(small_memory(), 1, 60) * 40
    assert len(subject.table) < 8


def test_the_scores_are_there_after_a_stop() -> None:
    metadata = MemoryStore()
    first = Traps(LimitsConfig(), metadata)
    walk(first, FREE + CREDIT // 2)
    first.save()
    second = Traps(LimitsConfig(), metadata)
    walk(second, CREDIT - CREDIT // 2 + 1, start=FREE + CREDIT // 2)
    assert second.check(found(f"{CHAIN}99", f"{CHAIN}98", 99)) is not None


def test_a_host_with_a_request_under_way_stays_in_memory() -> None:
    subject = small_memory()
    walk(subject, FREE + CREDIT - 1)
    page = lease(f"{CHAIN}50", f"{CHAIN}49", 50, 1000)
    assert subject.admit(page)
    in_turn(subject, 40, 2)
    subject.record(page, b"<p>the same", Page("text/html", "utf-8"))
    subject.release(page)
    in_turn(subject, 40, 2)
    assert subject.check(due(lease(f"{CHAIN}99", f"{CHAIN}98", 99))) is None
    walk(subject, 1, start=60)
    assert subject.check(due(lease(f"{CHAIN}99", f"{CHAIN}98", 99))) is not None


def in_order(saved: bytes) -> list[Any]:
    """What was saved, its sets sorted."""
    parts = msgspec.msgpack.decode(saved)
    units, unit, folders, seen, case_variants, sampled, *rest = parts
    names = {folder: some and sorted(some) for folder, some in folders.items()}
    return [
        units, unit, names, sorted(seen), case_variants, sorted(sampled), *rest
    ]  # fmt: skip


def test_all_that_scores_know_comes_back_with_them() -> None:
    scores = Scores()
    for n in range(3 * FREE):
        for path in (f"/a{n}/b{n}/c?x={n}", f"/A{n}/b{n}/c", f"/{'n' * n}/x"):
            url = f"http://a.example{path}"
            shape = shape_of(url, scores.folders, record=True)
            for unit in scores.units_of(shape, n):
                unit.fetched += 1
                unit.earn() if n % 3 else unit.charge(1)
            scores.seen.is_new(url, f"<p>{sentence(n)}".encode(), (), unordered=False)
            scores.case_variants.add(url)
            scores.sampled.add(n)
    scores.free_duplicates, scores.charged = 3, True
    scores.case_variants_unit.charge(5)
    again = Scores.restored(scores.saved(), {})
    assert in_order(again.saved()) == in_order(scores.saved())
    assert again.weigh() == scores.weigh()
    assert again.case_variants_unit.credit == CREDIT - 5
    url = "http://a.example/nnn/other"
    assert shape_of(url, again.folders) == shape_of(url, scores.folders)
    assert again.case_variants.is_variant("http://a.example/a1/B1/C")
    assert not again.seen.is_new(url, f"<p>{sentence(2)}".encode(), (), unordered=False)


def test_large_scores_are_small_in_the_store() -> None:
    scores = Scores()
    for n in range(9000):
        url = f"http://a.example/{sentence(n).replace(' ', '/')}?{n}={n}"
        scores.units_of(shape_of(url, scores.folders, record=True), 1)
        scores.seen.is_new(url, f"<p>{n}<p>{sentence(n)}".encode(), (), unordered=False)
        scores.case_variants.add(url)
    assert len(scores.saved()) < 300_000
    assert scores.weigh() < 200_000


class Forgetful(MemoryStore):
    """Keeps no metadata, so that only what `Traps` holds is measured."""

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        pass


def test_what_is_remembered_of_all_hosts_has_a_bound() -> None:
    """Hosts that all look like traps, and hosts with a whole ledger each."""
    room = 15_000
    tracemalloc.start()
    for hosts, pages in ((800, 4), (15, 200)):
        subject = Traps(LimitsConfig(), Forgetful(), max_weight=room)
        for host in range(hosts):
            for n in range(pages):
                text = f"<p>{sentence(n)}<p>{sentence(host * 997 + n)}"
                fetch(subject, month(host, n), text)
        assert room / 2 < subject.table.weight <= room
        assert tracemalloc.get_traced_memory()[0] < 100 * room
        del subject
    tracemalloc.stop()
