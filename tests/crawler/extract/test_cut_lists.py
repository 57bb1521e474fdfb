"""What a limit leaves out of a list, a tag or a packed file is said, too."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from crawler.extract import json_ld, json_pictures
from crawler.extract.extractor import extract
from crawler.extract.html import declarations, facts, lazy, srcset, tags
from crawler.extract.xml import parser, scanner, sitemap
from crawler.model.documents import File, Image, Page
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig

SITEMAP = "<urlset>%s</urlset>"
RSS = "<rss><channel>%s</channel></rss>"
LIST = "<script type=application/ld+json>%s</script>"


def document(text: str | bytes, kind: str = "text/html") -> Page | File:
    body = text if isinstance(text, bytes) else text.encode()
    response = Response(
        "http://h/", 200, "", "1.1", (("content-type", kind),), body, 0, Timings(0),
        None, False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig())
    assert not isinstance(found, Image)
    return found


def left_out(text: str | bytes, kind: str = "text/html") -> tuple[str, ...]:
    return document(text, kind).left_out


def repeated(text: str, number: int) -> str:
    return "".join(text.replace("@", str(one)) for one in range(number))


@pytest.mark.parametrize(
    ("whole", "one"),
    [
        ("<img srcset='%s'>", "/1@.jpg 1@w, "),
        ("<source srcset='%s'>", "/1@.jpg, "),
        ("<link rel=preload as=image imagesrcset='%s'>", "/@.jpg 1@w,"),
        ("<my-img srcset='%s'>", "/@.jpg 1@w,"),
        ("<div data-srcset='%s'>", "/@.jpg 1@w,"),
        ("<img data-bgset='%s'>", "/@.jpg 1@w | "),
        ('<script type=application/json>{"srcset": "%s"}</script>', "/@.jpg 1@w,"),
        ("""<div data-x='{"srcset": "%s"}'>""", "/@.jpg 1@w,"),
        ("<iframe srcdoc=\"<img srcset='%s'>\"></iframe>", "/1@.jpg 1@w,"),
    ],
)
def test_candidates_of_a_srcset(monkeypatch, whole, one):
    monkeypatch.setattr(srcset, "MAX_CANDIDATES", 3)
    assert left_out(whole % repeated(one, 3)) == ()
    page = document(whole % repeated(one, 4))
    assert page.left_out == ("links",)
    assert len(page.images) == 3


@pytest.mark.parametrize("separator", [" ", ", ", "|", " 1x, "])
def test_a_list_in_an_attribute_for_scripts(monkeypatch, separator):
    monkeypatch.setattr(lazy, "_MAX_LIST", 4)
    step = 2 if "x" in separator else 1
    names = ["/1.jpg", "/2.jpg", "/3.jpg", "/4.jpg", "/5.jpg"]
    whole = separator.join(names[: 4 // step]) + separator
    assert left_out(f"<div data-images='{whole}'>") == ()
    page = document(f"<div data-images='{separator.join(names)}{separator}'>")
    assert page.left_out == ("links",)
    assert len(page.images) == 4 // step
    words = "a b c d e f.html"
    assert left_out(f"<div data-words='{words}'>") == ()


def test_a_long_tag(monkeypatch):
    monkeypatch.setattr(tags, "_MAX_TAG", 1000)
    start = "<img src=/a.png data-long="
    rest = 1000 - len(start) + len("<img")
    assert left_out(start + "x" * rest + ">") == ()
    assert left_out(start + "x" * (rest + 1) + ">") == ("markup",)
    assert left_out(f"<td title={'x' * 1000} background=/a.png>") == ("markup",)


def test_the_longest_tag():
    start = "<img src=/a.png data-long="
    rest = 2**18 - len(start) + len("<img")
    assert left_out(start + "x" * rest + ">") == ()
    assert left_out(start + "x" * (rest + 1) + ">") == ("markup",)


@pytest.mark.parametrize(
    "text",
    [
        '<script type=application/json>["/a.png", "b"@]</script>',
        '<script>window.state = ["/a.png", "b"@]</script>',
        """<div data-x='["/a.png", "b"@]'>""",
        LIST % '{"image": ["/a.png"@]}',
        """<div data-x='{"a": "[\\"/a.png\\", 2@]"}'>""",
    ],
)
def test_values_of_json_in_a_page(monkeypatch, text):
    monkeypatch.setattr(json_pictures, "MAX_VALUES", 3)
    assert left_out(text.replace("@", "")) == ()
    if "window" in text:  # it is no JSON, and its strings have no such limit
        assert left_out(text.replace("@", ', "c"')) == ()
    else:
        assert left_out(text.replace("@", ", 3")) == ("markup",)


def packed(text: str, times: int = 1) -> bytes:
    body = text.encode()
    for _ in range(times):
        body = gzip.compress(body, mtime=0)
    return body


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "text", [SITEMAP % "<url><loc>/a</loc></url>", "http://h/a\nhttp://h/b\n"]
)
def test_a_packed_sitemap_beyond_the_limit(monkeypatch, text, times):
    monkeypatch.setattr(sitemap, "_MAX_UNPACKED", max(len(text), 100))
    text = text.ljust(100)
    assert left_out(packed(text, times), "application/gzip") == ()
    assert left_out(packed(text + " ", times), "application/gzip") == ("markup",)


def test_packed_files_in_a_row(monkeypatch):
    monkeypatch.setattr(sitemap, "_MAX_MEMBERS", 3)
    parts = [packed(f"http://h/{number}\n") for number in range(4)]
    for padding in (b"", bytes(100)):
        whole = b"".join(parts[:3]) + padding
        assert left_out(whole, "application/gzip") == ()
    found = document(b"".join(parts), "application/gzip")
    assert found.left_out == ("markup",)
    assert len(found.links) == 3


def test_a_long_text_in_xml(monkeypatch):
    monkeypatch.setattr(parser, "_MAX_TEXT", 100)
    for kind in ("<url><loc>%s</loc></url>", "<url><loc><![CDATA[%s]]></loc></url>"):
        text = "http://h/".ljust(100, "x")
        assert left_out(SITEMAP % (kind % text), "text/xml") == ()
        spaced = f"{' ' * 300}{text}{' ' * 300}"
        assert left_out(SITEMAP % (kind % spaced), "text/xml") == ()
        assert len(document(SITEMAP % (kind % spaced), "text/xml").links) == 1
        assert left_out(SITEMAP % (kind % f"{text}x"), "text/xml") == ("markup",)
    article = f"<item><description>{'x' * 200}</description></item>"
    assert left_out(RSS % article, "text/xml") == ()  # nothing of it is taken


def test_depth_of_xml():
    def deep(levels: int) -> str:
        return "<urlset>" + "<url>" * (levels - 1) + "</url>" * (levels - 1)

    assert left_out(deep(256), "text/xml") == ()
    assert left_out(deep(257), "text/xml") == ("markup",)


def test_a_long_tag_in_xml(monkeypatch):
    """A part of the document is 64 KiB."""
    monkeypatch.setattr(scanner, "_MAX_TAG", 10_000)
    for opened in ("<url a='%s'/>", "<!DOCTYPE urlset [<!ENTITY a '%s'>]>"):
        for size, expected in ((9000, ()), (200_000, ("markup",))):
            text = opened % ("x" * size)
            before, after = (text, "") if "DOCTYPE" in text else ("", text)
            found = left_out(before + SITEMAP % after, "text/xml")
            assert found == expected


def of_facts(number: int) -> dict[str, str]:
    """Pages with `number` of each fact."""
    objects = ",".join(f'{{"@type": "T{one}"}}' for one in range(number))
    names = repeated('"n@",', number).removesuffix(",")
    author = f'{{"@type": "Article", "author": [{names}]}}'
    crumbs = f'{{"@type": "BreadcrumbList", "itemListElement": [{names}]}}'
    rss = "rel=alternate type=application/rss+xml"
    return {
        "feeds": repeated(f"<link {rss} href=/@>", number),
        "alternates": repeated("<link rel=alternate hreflang=l@ href=/@>", number),
        "authors": repeated("<meta name=citation_author content=n@>", number),
        "robots": repeated("<meta name=robots content=n@>", number),
        "types": LIST % f"[{objects}]",
        "types of one": LIST % f'{{"@type": [{names}]}}',
        "authors of JSON-LD": LIST % author,
        "breadcrumbs": LIST % crumbs,
    }  # fmt: skip


@pytest.mark.parametrize("fact", of_facts(0))
def test_facts(monkeypatch, fact):
    for module, name in (
        (facts, "_MAX_ITEMS"), (json_ld, "_MAX_ITEMS"), (declarations, "MAX_ROBOTS"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, 3)
    whole = of_facts(3)[fact]
    assert left_out(whole) == ()
    if fact in ("feeds", "alternates", "authors", "robots"):
        assert left_out(whole + whole) == ()
    assert left_out(of_facts(4)[fact]) == ("values",)


def test_urls_of_one_fact_that_are_long_together(monkeypatch):
    for fact in ("feeds", "alternates"):
        monkeypatch.setattr(facts, "_MAX_CHARACTERS", 3 * len("http://h/1"))
        assert left_out(of_facts(3)[fact]) == ()
        assert left_out(of_facts(4)[fact]) == ("values",)


def test_objects_of_json_ld(monkeypatch):
    def objects(number: int, at: str = "[%s]") -> str:
        return LIST % (at % ",".join(['{"name": "x"}'] * number))

    def limits(**limits: Any) -> None:
        for name, value in limits.items():
            monkeypatch.setattr(json_ld, name, value)

    limits(MAX_OBJECTS=3)
    assert left_out(objects(3)) == left_out(objects(1) * 3) == ()
    assert left_out(objects(4)) == left_out(objects(1) * 4) == ("values",)
    limits(MAX_OBJECTS=200, _MAX_LOOKED_AT=10)
    assert left_out(objects(3, '{"@graph": [%s]}')) == ()
    assert left_out(objects(4, '{"@graph": [%s]}')) == ("values",)
    limits(_MAX_LOOKED_AT=1000, MAX_RAW=len(objects(3)) - len(LIST % ""))
    assert left_out(objects(3)) == ()
    assert left_out(objects(4)) == ("values",)
    deep = '{"a": ' + "[" * 64 + "]" * 64 + "}"
    assert left_out(LIST % deep) == ("values",)


def test_names_of_authors_together():
    assert left_out(f"<meta name=author content={'x' * 200}>" * 5) == ()
    names = repeated(f"<meta name=author content=@{'x' * 150}>", 7)
    page = document(names)
    assert isinstance(page, Page)
    assert page.declared.author is not None
    assert len(page.declared.author) == 1000
    assert page.left_out == ("values",)


def test_a_frame_in_a_frame():
    inner = "<img src=/a.png>"
    assert left_out(f"<iframe srcdoc='{inner}'></iframe>") == ()
    nested = f"<iframe srcdoc=&quot;{inner}&quot;></iframe>"
    assert left_out(f"<iframe srcdoc='{nested}'></iframe>") == ("markup",)


def test_the_limits_of_lists_are_those_of_the_schema():
    assert (srcset.MAX_CANDIDATES, lazy._MAX_LIST) == (1000, 1000)
    assert (tags._MAX_TAG, scanner._MAX_TAG, parser._MAX_TEXT) == (2**18, 2**18, 2**16)
    assert (sitemap._MAX_UNPACKED, sitemap._MAX_MEMBERS) == (50 * 2**20, 1000)
    assert (facts._MAX_ITEMS, json_ld._MAX_ITEMS, json_ld.MAX_OBJECTS) == (100, 50, 200)
    assert (declarations.MAX_ROBOTS, json_pictures.MAX_VALUES) == (10, 100_000)


LONG = "x" * (8192 - len("http://h/"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/html", "<a href='@'>x</a>"),
        ("text/html", "<a class=x href='@'>x</a>"),
        ("text/html", "<img src='@'>"),
        ("text/html", "<link rel=stylesheet href='@'>"),
        ("text/html", "<base href='/xxxx/'><a href='@'>x</a>"),
        ("text/css", "p{background:url(@)}"),
        ("text/xml", SITEMAP % "<url><loc>@</loc></url>"),
        ("text/xml", SITEMAP % "<url><image><loc>@</loc></image></url>"),
        ("application/json", '{"url": "@"}'),
    ],
)
def test_a_url_beyond_the_limit(kind, text):
    whole = LONG if "base" not in text else LONG[5:]
    for href in (f"/{whole[1:]}", f"http://h/{whole}", f"http://h/{whole}#x"):
        if kind == "application/json" and "#" in href:
            continue
        href = href if "base" not in text else whole
        assert left_out(text.replace("@", f" {href} ")) == ()
        href = f"http://h/{LONG}x" if ":" in href else f"{href}xx"
        assert left_out(text.replace("@", f" {href} "), kind) == ("links",)
    for scheme in ("data:image/png;base64,", "javascript:", "mailto:"):
        assert left_out(text.replace("@", scheme + "x" * 9000), kind) == ()


def test_a_url_is_encoded_beyond_the_limit():
    assert left_out(f"<a href='/{'é' * 1300}'>x</a>") == ()
    assert left_out(f"<a href='/{'é' * 1400}'>x</a>") == ("links",)
    assert left_out(f"<a href='http://[{'é' * 1400}/'>x</a>") == ()
