"""`audit`: what each section finds, and what it does not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from pathlib import Path

from crawler.extract.xml.listing import read_listing
from crawler.frontier.state_reader import StateReader
from crawler.inspect.audit.audit import audit
from crawler.inspect.audit.findings import Finding, Section
from crawler.inspect.links import Chosen, list_links
from crawler.model.documents import Alternate, File, ImageLink, Link
from crawler.model.link_graph import DocumentFacts
from tests.helpers.stored_site import LOOP, NOT_FOUND, Stored, moved, stored_site

BASE = "https://site.example/"


def at(path: str) -> str:
    return path if "://" in path else BASE + path


def to(*paths: str) -> tuple[Link, ...]:
    return tuple(Link(at(path), "a", f"to {path}") for path in paths)


def page(*paths: str, **facts: object) -> Stored:
    given = {"status": 200, "title": None, "description": None, **facts}
    return Stored(facts=DocumentFacts(**given), links=to(*paths))  # type: ignore[arg-type]


def sections(
    folder: Path, urls: Mapping[str, Stored], skipped: tuple[str, ...] = ()
) -> dict[str, Section]:
    named = {at(path): one for path, one in urls.items()}
    with stored_site(folder, named, tuple(map(at, skipped))) as state:
        return {one.name: one for one in audit(state, 10).sections}


def urls_of(section: Section) -> list[str]:
    assert section.count == len(section.findings)
    return [one.url.removeprefix(BASE) for one in section.findings]


def related(finding: Finding) -> list[tuple[str, str | None]]:
    return [(one.url.removeprefix(BASE), one.text) for one in finding.related]


def test_broken_links_also_over_redirects(tmp_path: Path) -> None:
    found = sections(
        tmp_path,
        {
            "": page("a", "gone", "moved", "http://far.example/"),
            "a": page("gone"),
            "gone": NOT_FOUND,
            "moved": moved(at("gone")),
        },
        skipped=("http://far.example/",),
    )["broken_links"]
    assert urls_of(found) == ["gone", "moved"]
    first, second = found.findings
    assert (first.detail, first.count) == ("404 Not Found", 2)
    assert related(first) == [("", "to gone"), ("a", "to gone")]
    assert (second.detail, second.count) == (f"301 -> {at('gone')} 404", 1)


def test_redirect_chains_and_loops(tmp_path: Path) -> None:
    urls = {
        "": page("one", "two", "a", "b", "self", "dead"),
        "one": moved(at("page")),
        "two": moved(at("one")),
        "page": page(),
        "a": moved(at("b")),
        "b": moved(at("a")),
        "dead": moved(at("self")),
        "self": LOOP,
    }
    found = sections(tmp_path / "1", urls)
    assert urls_of(found["redirect_chains"]) == ["two"]
    chain = found["redirect_chains"].findings[0]
    assert (related(chain), chain.detail) == ([("one", None), ("page", None)], "200")
    assert urls_of(found["redirect_loops"]) == ["a", "b", "dead", "self"]
    named = {at(path): one for path, one in urls.items()}
    with stored_site(tmp_path / "2", named) as state:
        broken = [one.target_url for one in list_links(state, Chosen(broken=True))]
    assert broken == [at("a"), at("b"), at("self"), at("dead")]


def test_titles_and_descriptions(tmp_path: Path) -> None:
    found = sections(
        tmp_path,
        {
            "": page(title="Home", description="All"),
            "a": page(title="Same", description="All"),
            **{f"same{n}": page(title="Same", description=f"{n}") for n in range(5)},
            "none": page(),
            "copy": page(title="Same", canonical_url=at("a"), description="All"),
            "hidden": page(robots_meta="NOINDEX,follow"),
        },
    )
    assert urls_of(found["missing_titles"]) == ["none"]
    assert urls_of(found["missing_descriptions"]) == ["none"]
    assert urls_of(found["duplicate_titles"]) == ["a"]
    same = found["duplicate_titles"].findings[0]
    assert (same.detail, same.count) == ("Same", 5)
    assert related(same) == [("same0", None), ("same1", None), ("same2", None)]
    (alike,) = found["duplicate_descriptions"].findings
    assert (alike.detail, alike.count, related(alike)) == ("All", 1, [("a", None)])


def test_canonical_conflicts(tmp_path: Path) -> None:
    twice = page(canonical_url=at("good"))
    twice.links = (Link(at("good"), "link_canonical"), Link(at(""), "link_canonical"))
    found = sections(
        tmp_path,
        {
            "": page(canonical_url=at("")),
            "good": page(),
            "to-good": page(canonical_url=at("good")),
            "to-dead": page(canonical_url=at("gone")),
            "to-moved": page(canonical_url=at("moved")),
            "to-file": page(canonical_url=at("file")),
            "to-hidden": page(canonical_url=at("hidden")),
            "to-other": page(canonical_url=at("to-good")),
            "to-far": page(canonical_url="http://far.example/"),
            "twice": twice,
            "gone": NOT_FOUND,
            "moved": moved(at("good")),
            "file": Stored("file", detail="a limit has left something out of it"),
            "hidden": page(robots_meta="noindex"),
        },
        skipped=("http://far.example/",),
    )["canonical_conflicts"]
    assert {one.url.removeprefix(BASE): one.detail for one in found.findings} == {
        "to-dead": "the canonical URL is 404 Not Found",
        "to-moved": "the canonical URL is a redirect",
        "to-file": "the canonical URL is a file",
        "to-hidden": "the canonical URL is noindex",
        "to-other": f"the canonical URL has another one: {at('good')}",
        "twice": "2 canonical URLs",
    }


def in_languages(**urls: str) -> Stored:
    named = tuple(Alternate(language, at(url)) for language, url in urls.items())
    return page(alternates=named)


def test_translations_without_a_return(tmp_path: Path) -> None:
    found = sections(
        tmp_path,
        {
            "": in_languages(
                en="", de="de", fr="fr", es="es", it="http://far.example/"
            ),
            "de": in_languages(en="", de="de"),
            "fr": in_languages(fr="fr"),
            "es": NOT_FOUND,
        },
        skipped=("http://far.example/",),
    )["hreflang_without_return"]
    assert [(one.detail, related(one)) for one in found.findings] == [
        ("fr: it does not name this page", [("fr", None)]),
        ("es: it is 404 Not Found", [("es", None)]),
    ]


def entry(path: str, **others: str) -> str:
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{language}" href="{at(url)}"/>'
        for language, url in others.items()
    )
    return f"<url><loc>{at(path)}</loc>{links}</url>"


def test_translations_in_a_sitemap(tmp_path: Path) -> None:
    """What the entry of a page names, the page does, whether or not its HTML does."""
    entries = (
        entry("en", de="de", fr="fr", en="en"),
        entry("de", en="en"),
        entry("fr"),
        entry("both", es="es"),
    )
    text = (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        'xmlns:xhtml="http://www.w3.org/1999/xhtml">' + "".join(entries) + "</urlset>"
    )
    url = at("sitemap.xml")
    read = read_listing([text.encode()], url, "application/xml", None, 100)
    assert isinstance(read, File)
    assert [(one.hreflang, one.url) for one in read.alternates][:5] == [
        ("", at("en")), ("de", at("de")), ("fr", at("fr")), ("en", at("en")),
        ("", at("de")),
    ]  # fmt: skip
    found = sections(
        tmp_path,
        {
            "": page("en"),
            **{name: page() for name in ("en", "de", "fr", "both")},
            "es": in_languages(it="both"),
            "sitemap.xml": Stored(
                "file", DocumentFacts(200, alternates=read.alternates), read.links
            ),
        },
    )["hreflang_without_return"]
    assert [(one.url, one.detail) for one in found.findings] == [
        (at("en"), "fr: it does not name this page")
    ]


def test_the_sitemap_and_the_reverse(tmp_path: Path) -> None:
    listed = ("", "linked", "orphan", "behind", "own", "gone")
    sitemap = Stored("file", links=tuple(Link(at(one), "sitemap") for one in listed))
    urls = {
        "": page("linked", "moved", "unlisted", "copy"),
        "linked": page(),
        "moved": moved(at("behind")),
        "behind": page(),
        "orphan": page(),
        "own": page("own"),
        "gone": NOT_FOUND,
        "unlisted": page(),
        "copy": page(canonical_url=at("linked")),
        "sitemap.xml": sitemap,
    }
    found = sections(tmp_path / "1", urls)
    assert urls_of(found["orphan_pages"]) == ["orphan", "own"]
    assert urls_of(found["not_in_sitemap"]) == ["unlisted"]
    del urls["sitemap.xml"]
    found = sections(tmp_path / "2", urls)
    assert urls_of(found["orphan_pages"]) == urls_of(found["not_in_sitemap"]) == []


def test_mixed_content(tmp_path: Path) -> None:
    mixed = page("http://far.example/page")
    mixed.images = (
        ImageLink("http://far.example/i.png", "img", "pic"),
        ImageLink("http://far.example/s.css", "stylesheet"),
        ImageLink("https://far.example/i.png", "img"),
    )
    plain = page()
    plain.images = mixed.images
    found = sections(tmp_path, {"": mixed, "http://plain.example/": plain})
    assert [
        (one.url, one.detail, related(one)) for one in found["mixed_content"].findings
    ] == [
        ("http://far.example/i.png", "img", [("", "pic")]),
        ("http://far.example/s.css", "stylesheet", [("", None)]),
    ]


def test_slow_and_large_pages(tmp_path: Path) -> None:
    urls = {f"{n}": page(fetch_ms=n * 100, body_bytes=2**n) for n in range(20)}
    found = sections(tmp_path, urls)
    assert urls_of(found["slowest_pages"]) == [f"{n}" for n in range(19, 9, -1)]
    assert found["slowest_pages"].findings[0].detail == "1.90 s"
    assert urls_of(found["largest_pages"]) == [f"{n}" for n in range(19, 9, -1)]


def test_all_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    found = sections(tmp_path, {f"{n}": page() for n in range(30)})["missing_titles"]
    assert (found.count, len(found.findings)) == (30, 10)


def test_memory_is_bounded_by_urls_and_not_by_links(tmp_path: Path) -> None:
    """10,000 links of 20 pages; a link takes no memory, a URL some hundred bytes."""
    dead = {at(f"{n}"): NOT_FOUND for n in range(500)}
    everything = tuple(Link(url, "a", "a text") for url in dead)
    urls = {at(f"p{n}"): Stored(links=everything) for n in range(20)} | dead
    with stored_site(tmp_path, urls) as state:
        assert peak_of_audit(state) < 2_000_000


def peak_of_audit(state: StateReader) -> int:
    tracemalloc.start()
    found = audit(state, 10)
    assert (found.links, found.sections[0].count) == (10_000, 500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
