"""crawler/extract/html/tags.py compared with Lexbor, also on hostile documents.

Lexbor follows the standard.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.extract.html.tags import attributes, decode_references, start_tags
from tests.helpers.cpu import cpu_within

lexbor = pytest.importorskip("selectolax.lexbor", reason="the oracle of these tests")

COMPARED = ("a", "img", "script", "style", "title", "textarea", "iframe")


def comparable(tags: list[tuple[str, dict[str, str]]]) -> set[str]:
    return {f"{name} {sorted(values.items())}" for name, values in tags}


def ours(text: str) -> list[tuple[str, dict[str, str]]]:
    tags = [
        (tag[0], attributes(tag[1])) for tag in start_tags(text) if tag[0] in COMPARED
    ]
    return [tag for tag in tags if tag[0] != "a" or "href" in tag[1]]


def theirs(text: str) -> list[tuple[str, dict[str, str]]]:
    nodes = lexbor.LexborHTMLParser(text).css(",".join(COMPARED))
    tags = [
        (node.tag, {k: v or "" for k, v in node.attributes.items()}) for node in nodes
    ]
    return [tag for tag in tags if tag[0] != "a" or "href" in tag[1]]


# No <b>, <table>, <select> and the like: for them, a tree moves, copies or drops
# elements. An <a> is copied too, hence a unique mark in each and a comparison without
# order.
_TAGS = """<a |<A |<img |<img/|<div |<div>|</div>|<p title=|<x-y |<br/>|</a>|</a |</|<|>
 >|/>|/|<script>|</script>|</script |<script|</SCRIPT>|<style>|</style>|<title>
</title>|</titlex>|<iframe>|</iframe>|<textarea>|</textarea>|<!--|-->|--!>|--|-|!>|<!
<!->|<!-->|<!doctype html>|<?xml ?>|href|src|class|HREF|=|= |"|'|"'|x|&amp;|&copy
&copy=|&#65;|&lt|&notit;|text|é|data-x|<a\t| """
PIECES = st.sampled_from(["\n", "\t", *_TAGS.replace("\n", "|").split("|")])


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=25))
def test_same_tags_as_lexbor(pieces: list[str]) -> None:
    text = "<!doctype html><body>" + "".join(
        f"{piece}n{number}=1 href " if piece.strip() in {"<a", "<A", "<img"} else piece
        for number, piece in enumerate(pieces)
    )
    assert comparable(ours(text)) == comparable(theirs(text)), text


@pytest.mark.parametrize(
    ("text", "hrefs"),
    [
        ("<a href=1><A HREF=2></a><a\nhref\n=\n3>", ["1", "2", "3"]),
        ("<a href=\"1\"><a href='2'><a href=3/><a/href=4><a href=5 />",
         ["1", "2", "3/", "4", "5"]),
        ("<a href=1 href=2>", ["1"]),
        ("<abbr href=1><a-b href=2><a><a id=\"x\" />", []),
        ("<a id=\"x\" href=1><a id=\"x\" HREF=\"2\"><a xlink:href=\"3\">",
         ["1", "2", None]),
        ("<!-- <a href=1> --><a href=2>", ["2"]),
        ("<!--><a href=1><!---><a href=2><!----!><a href=3>", ["1", "2", "3"]),
        ("<!-- a -- > <a href=1> --!><a href=2>", ["2"]),
        ("<!doctype x '><a href=1>'><a href=2>", ["1", "2"]),
        ("<?php echo '<a href=1>' ?><a href=2>", ["2"]),
        ("</x <a href=1>><a href=2></ <a href=3>", ["2"]),
        ("<p title='<a href=1>'><a href=2>", ["2"]),
        ("<p title=don't><a href=1><p title='x'>", ["1"]),
        ("<p a=\"x><a href=1>", []),
        ("<a href=1", []),
        ("<script>'<a href=1>'</script><a href=2>", ["2"]),
        ("<script><!-- <script> </script> <a href=1> --></script><a href=2>", ["2"]),
        ("<script><!-- </script><a href=1>", ["1"]),
        ("<script><!--> <script> </script><a href=1>", ["1"]),
        ("<script></scriptx><a href=1></script ><a href=2>", ["2"]),
        ("<style><a href=1></style><title><a href=2></title><a href=3>", ["3"]),
        ("<textarea><a href=1></textarea><xmp><a href=2></xmp><a href=3>", ["3"]),
        ("<title>never closed <a href=1>", []),
        ("<plaintext><a href=1>", []),
        ("<svg><script/><style/><a href=1></svg><a href=2><script/><a href=3>",
         ["1", "2"]),
        ("a < b <a href=1> 3<4", ["1"]),
        ("<a = href=1><a =href=2><a \"href=3>", ["1", None, None]),
    ],
)  # fmt: skip
def test_tags(text: str, hrefs: list[str | None]) -> None:
    assert [
        attributes(t[1]).get("href") for t in start_tags(text) if t[0] == "a"
    ] == hrefs


def test_xml_has_empty_elements() -> None:
    text = '<script src="x"/><a href="1"/><title/><a href="2"/>'
    assert [tag[0] for tag in start_tags(text, xml=True)] == [
        "script",
        "a",
        "title",
        "a",
    ]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (' href="x"', "x"),
        (' class="c" href="x#y" title="t" /', "x"),
        (' href="#y"', ""),
        (' href=""', ""),
        (' href="x" rel="nofollow"', None),
        (' rel="nofollow" href="x"', None),
        (' href="x&amp;y"', None),
        (" href='x'", None),
        (' href="x" href="y"', None),
        (' xlink:href="x"', None),
        (' data-x="href=" href="x"', "x"),
    ],
)
def test_the_easy_way_to_an_href(written: str, seen: str | None) -> None:
    (tag,) = start_tags(f"<a{written}>")
    assert (tag[1], tag[2]) == (written, seen)
    if seen is not None:
        assert attributes(written)["href"].partition("#")[0] == seen


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=1&copyright", "?a=1&copyright"),
        ("&copy", "©"),
        ("&copy-", "©-"),
        ("&notit;", "&notit;"),
        ("&#65&#x42;&#X43", "ABC"),
        ("&#128;&#xD800;&#x110000;&#0", "€\ufffd\ufffd\ufffd"),
        ("&", "&"),
        ("&;&#;&#x;", "&;&#;&#x;"),
        ("&amp;amp;", "&amp;"),
    ],
)
def test_character_references(value: str, decoded: str) -> None:
    assert decode_references(value) == decoded


HOSTILE = {
    "depth": "<div>",
    "misnested": "<b id=x><p>",
    "angles": "<",
    "open comments": "<!--",
    "dashes": "<!---",
    "open quotes": "<a href='",
    "crossed quotes": "<p a=\"'>",
    "scripts": "<script>",
    "comments in scripts": "<script><!--</script>",
    "hidden scripts": "<script><!--<script>",
    "empty scripts in svg": "<svg><script/>",
    "titles": "<title>",
    "attributes": "<a b c=d ",
    "equals": "<a =",
    "names": "<aaaa",
    "ends": "</a b='",
    "references": "<a b='&amp&#x&copy;'>",
    "instructions": "<?",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear(name: str) -> None:
    text = HOSTILE[name] * (1_000_000 // len(HOSTILE[name]))
    with cpu_within(2):  # a quadratic way takes minutes
        for tag in start_tags(text):
            attributes(tag[1])


def test_a_link_at_depth_100_000() -> None:
    (tag,) = start_tags("<div>" * 100_000 + "<a href=x>")
    assert attributes(tag[1]) == {"href": "x"}


SITES = (
    "/usr/share/doc/postgresql-doc-15/html",
    "/usr/share/gimp/2.0/help/en",
    "/usr/share/cppreference/doc/html/en",
    "/usr/share/doc/python3.11/html/library",
)


@pytest.mark.parametrize("site", SITES)
def test_real_pages(site: str) -> None:
    files = sorted(Path(site).rglob("*.html"))[::40][:25]
    if not files:
        pytest.skip(f"{site} is not installed")
    for file in files:
        text = file.read_bytes().decode("utf-8", "replace")
        assert comparable(ours(text)) == comparable(theirs(text)), file
