"""Documents with other URLs in place of their own, and the same bytes elsewhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.extract.body import MAX_URL_CHARACTERS, Body
from crawler.extract.references.requisites import requisites
from crawler.extract.references.rewrite import (
    MAX_REFERENCES,
    references,
    rewrite,
    source_of,
)
from crawler.model.documents import say_nothing
from tests.helpers.cpu import cpu_within

PAGE = "http://a.test/dir/page"


def body(
    content: str | bytes,
    media_type: str = "text/html",
    charset: str | None = None,
    url: str = PAGE,
) -> Body:
    data = content if isinstance(content, bytes) else content.encode()
    return Body(url, data, media_type, charset, 1000, False)


def local(url: str) -> str | None:
    """Copies of all that is on a.test below /s."""
    found = re.match(r"http://a\.test/s/(.*)", url)
    return f"../L/{found[1].replace('?', '@')}" if found else None


def rewritten(content: str, media_type: str = "text/html", **more: str) -> str:
    return rewrite(body(content, media_type, **more), local).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="/s/b">', '<a href="../L/b">'),
        ("<a href='/s/b#x'>", "<a href='../L/b#x'>"),
        ("<A HREF=/s/b#x CLASS=y>", "<A HREF=../L/b#x CLASS=y>"),
        ("<a href = ' /s/b '>", "<a href = ' ../L/b '>"),
        ('<a href="/s/b?x=1&amp;y=2">', '<a href="../L/b@x=1&amp;y=2">'),
        ('<a href="/s/b?x=1&y=2#f">', '<a href="../L/b@x=1&amp;y=2#f">'),
        # what is not saved becomes absolute, and what is so already stays as it is
        ('<a href="../c?x=1&amp;y#z">', '<a href="http://a.test/c?x=1&amp;y#z">'),
        ('<a href="//b.test/c">', '<a href="http://b.test/c">'),
        ('<a href="HTTP://B.test/c&d">', '<a href="HTTP://B.test/c&d">'),
        ("<form action='?q'>", "<form action='http://a.test/dir/page?q'>"),
        ('<form class="x" action="/s/b" method="get">',
         '<form class="x" action="../L/b" method="get">'),
        # what is no URL of the network, and what is within the page, stays
        ('<a href="#x">', '<a href="#x">'),
        ('<a href="">', '<a href="">'),
        ("<a href>", "<a href>"),
        ('<a href="mailto:x@a.test">', '<a href="mailto:x@a.test">'),
        ('<a href="javascript:f(\'/s/b\')">', '<a href="javascript:f(\'/s/b\')">'),
        ('<img src="data:image/png;base64,AA=="/>',) * 2,
        ('<p title="/s/b" data-caption="/s/x.png">',) * 2,
        ("<!-- <a href='/s/b'> -->",) * 2,
        ("<script>x = '<a href=\"/s/b\">'</script>",) * 2,
        ("<textarea><a href='/s/b'></textarea>",) * 2,
        # requisites
        ('<img src="/s/a.png" alt="x">', '<img src="../L/a.png" alt="x">'),
        (
            '<img srcset="/s/a.png, /s/b.png 2x,/c.png 3x">',
            '<img srcset="../L/a.png, ../L/b.png 2x,http://a.test/c.png 3x">',
        ),
        ('<video poster=/s/p.jpg src="/s/v.mp4">',
         '<video poster=../L/p.jpg src="../L/v.mp4">'),
        ('<body background="/s/a.png">', '<body background="../L/a.png">'),
        ("<object data='/s/a.svg'>", "<object data='../L/a.svg'>"),
        ('<link rel=stylesheet href="/s/a.css">',
         '<link rel=stylesheet href="../L/a.css">'),
        ('<svg><use xlink:href="/s/i.svg#a"/><use href="#b"/></svg>',
         '<svg><use xlink:href="../L/i.svg#a"/><use href="#b"/></svg>'),
        ('<meta http-equiv=refresh content="5; URL=\'/s/b#x\'">',
         '<meta http-equiv=refresh content="5; URL=\'../L/b#x\'">'),
        # attributes for scripts, if they name a picture that is saved
        ('<img data-src="/s/a.png" src="data:,">',
         '<img data-src="../L/a.png" src="data:,">'),
        ('<img data-src="/c.png" src="data:,">',) * 2,
        ('<img data-srcset="/s/a.png 1x, /c.png 2x">',
         '<img data-srcset="../L/a.png 1x, /c.png 2x">'),
        # styles
        ("<style>p { background: url(/s/a.png) }</style>",
         "<style>p { background: url(../L/a.png) }</style>"),
        ('<p style="background: url(&quot;/s/a&amp;b.png&quot;)">',
         '<p style="background: url(&quot;../L/a&amp;b.png&quot;)">'),
        ("<p style='background: url( \"/s/a.png\" )'>",
         "<p style='background: url( \"../L/a.png\" )'>"),
        # a document in an attribute
        ('<iframe srcdoc="<img src=&quot;/s/a&amp;amp;b.png&quot;>">',
         '<iframe srcdoc="<img src=&quot;../L/a&amp;amp;b.png&quot;>">'),
    ],
)  # fmt: skip
def test_references(before: str, after: str) -> None:
    assert rewritten(f"<!doctype html>é{before}<p>é") == f"<!doctype html>é{after}<p>é"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("@import '/s/a.css';", "@import '../L/a.css';"),
        ("@import url(/c.css) screen;", "@import url(http://a.test/c.css) screen;"),
        ("@font-face { src: url(/s/f.woff2) format('woff2') }",
         "@font-face { src: url(../L/f.woff2) format('woff2') }"),
        ("a { cursor: url(/s/c.cur), auto }", "a { cursor: url(../L/c.cur), auto }"),
        ("a { filter: url('/s/f.svg#b') }", "a { filter: url('../L/f.svg#b') }"),
        ("a { background: image-set('/s/a.png' 1x, url(/s/b.png) 2x) }",
         "a { background: image-set('../L/a.png' 1x, url(../L/b.png) 2x) }"),
        ("a { background: url(/c\\(1\\).png) }",
         "a { background: url(http://a.test/c\\(1\\).png) }"),
        ("a { background: url(data:image/png,/s/x) } /* url(/s/a.png) */",) * 2,
        ("a { fill: url(#b) } a::after { content: '/s/a' }",) * 2,
    ],
)  # fmt: skip
def test_style_sheets(before: str, after: str) -> None:
    assert rewritten(f"/* é */{before}", "text/css") == f"/* é */{after}"


def test_svg_and_xhtml_are_xml() -> None:
    before = (
        '<?xml-stylesheet href="/s/a.css?x&amp;y" type="text/css"?>'
        '<svg xmlns:xlink="x"><style>p { background: url(/s/a.png?x&amp;y) }</style>'
        '<script/><image xlink:href="/s/b.png"/><style><![CDATA[p{background:'
        "url(/s/a.png?x&y)}]]></style></svg>"
    )
    after = before.replace("/s/", "../L/").replace("css?", "css@").replace("g?", "g@")
    assert rewritten(before, "image/svg+xml") == after


def test_base() -> None:
    before = (
        '<a href="b"><base target=_top><base href="/s/x/"><base href="/q/">'
        '<a href="#f"><a href="c"><a href="">'
    )
    after = (
        '<a href="../L/x/b"><base target=_top><base href=""><base href="/q/">'
        '<a href="../L/x/#f"><a href="../L/x/c"><a href="../L/x/">'
    )
    assert rewritten(before) == after
    assert rewritten("<base href=/s/ target=x><a href=b>") == (
        '<base href="" target=x><a href=../L/b>'
    )
    assert rewritten(f"<base href={PAGE}><a href=#f>") == '<base href=""><a href=#f>'


def test_what_forbids_a_changed_file_is_disabled() -> None:
    before = (
        '<script src=/s/a.js integrity="sha256-x" crossorigin></script>'
        '<script src=//b.test/a.js integrity="sha256-x" crossorigin></script>'
        "<link rel=stylesheet crossorigin=anonymous href=/s/a.css Integrity=sha256-x>"
        '<meta content="default-src self" http-equiv="Content-Security-Policy">'
    )
    after = (
        '<script src=../L/a.js data-integrity="sha256-x" data-crossorigin></script>'
        '<script src=http://b.test/a.js integrity="sha256-x" crossorigin></script>'
        "<link rel=stylesheet data-crossorigin=anonymous href=../L/a.css "
        "data-Integrity=sha256-x>"
        '<meta content="default-src self" data-http-equiv="Content-Security-Policy">'
    )
    assert rewritten(before) == after


PARTS = '<!doctype html><head><title>{}</title><img src="/s/a.png" alt="{}">'


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "é漢"), ("windows-1251", "Привет"), ("shift_jis", "表示ソ"),
        ("gbk", "漢字\u4e28"), ("big5", "功許"), ("euc-kr", "한글"),
        ("utf-16le", "é漢"), ("iso-2022-jp", "漢字"), ("euc-jp", "漢字"),
        ("gb18030", "\U00020000"),
    ],
)  # fmt: skip
def test_the_encoding_is_kept_and_declared(encoding: str, text: str) -> None:
    content = PARTS.format(text, text).encode(encoding)
    got = rewrite(body(content, charset=encoding), local).decode(encoding)
    image = '<img src="../L/a.png"'
    if encoding == "utf-16le":
        expected = "\ufeff" + PARTS.format(text, text)
    else:
        name = encoding
        expected = PARTS.format(text, text).replace(
            "<head>", f'<head><meta charset="{name}">'
        )
    assert got == expected.replace('<img src="/s/a.png"', image)
    again = rewrite(body(got.encode(encoding)), local).decode(encoding)
    assert again == got.replace(image, '<img src="http://a.test/L/a.png"')


def test_a_wrong_declaration_is_corrected() -> None:
    for meta in (
        "<meta charset=latin1>",
        '<meta http-equiv="Content-Type" content="text/html; charset=latin1">',
    ):
        got = rewritten(f"{meta}é", charset="utf-8")
        assert got == f"{meta.replace('latin1', 'utf-8')}é"
        assert rewritten(f"{meta}e", charset="utf-8") == f"{meta}e"
    assert rewritten("a{}/*é*/", "text/css", charset="latin1").startswith(
        '@charset "windows-1252";a{}'
    )


def test_broken_bytes_survive() -> None:
    for encoding in ("utf-8", "gbk", "shift_jis", "utf-16le", "big5", "euc-jp"):
        content = b"\xff\x81<a href='/s/b'>\xe9\x80<p title=\xff\xfe"
        got = rewrite(body(content, charset=encoding), lambda url: None)
        assert (
            got.replace(f'<meta charset="{encoding}">'.encode(), b"").replace(
                b"http://a.test", b""
            )
            == content
            or encoding == "utf-16le"
        )


SNIPPETS = st.lists(
    st.sampled_from(
        [
            "<a href=", "<img src=", "'", '"', " ", ">", "<", "/s/a", "&amp;", "&", "=",
            "<style>", "</style>", "url(", ")", "\\", "<p style=", "srcset=", ", ",
            "<!--", "-->", "#f", "é", "<base href=", "<iframe srcdoc=", "&quot;",
            "<script>", "</script>", "<meta http-equiv=refresh content=", "0;url=",
            "<svg>", "<![CDATA[", "]]>", "data:", "2x", "/", "\n", "integrity ",
        ]
    ),
    max_size=30,
)  # fmt: skip


def skeleton(content: str, media_type: str) -> str:
    """All but the URLs, and what disables their guards."""
    document = body(content, media_type)
    source = source_of(document)
    rest, end = "", 0
    for one in sorted(references(document, source)):
        if one.start >= end:
            rest += source.text[end : one.start]
            end = one.end
    return (rest + source.text[end:]).replace('""', "").replace("data-", "")


@settings(max_examples=200, deadline=None)
@given(SNIPPETS, st.sampled_from(["text/html", "text/css", "image/svg+xml"]))
def test_only_urls_change(snippets: list[str], media_type: str) -> None:
    content = "".join(snippets)
    for known in (local, lambda url: None):
        got = rewrite(body(content, media_type), known).decode()
        assert skeleton(got, media_type) == skeleton(content, media_type)
    assert rewrite(body(got, media_type), lambda url: None).decode() == got


def test_requisites() -> None:
    page = (
        "<base href='/x/'><script src=a.js></script><img src=i.png>"
        "<link rel='alternate stylesheet' href=b.css><link rel=manifest href=m.json>"
        "<link rel=search href=q.xml>"
        "<link rel=preload as=font href=f.woff2><link rel=modulepreload href=m.js>"
        "<link rel=canonical href=c><a href=d>x</a><video src=v.mp4><track src=t.vtt>"
        "</video><audio><source src=s.ogg></audio><embed src=e.pdf><object data=o.swf>"
        "</object><iframe src=g></iframe><style>@font-face { src: url(h.ttf) }</style>"
        "<p style='clip-path: url(k.svg#a)'><script src=a.js></script>"
    )
    found = requisites(body(page), say_nothing)
    assert {(one.url.removeprefix("http://a.test/x/"), one.kind) for one in found} == {
        ("a.js", "script"), ("i.png", "img"), ("b.css", "stylesheet"),
        ("m.json", "manifest"), ("q.xml", "manifest"), ("m.js", "script"),
        ("f.woff2", "preload"),
        ("v.mp4", "media"), ("t.vtt", "media"), ("s.ogg", "media"), ("e.pdf", "object"),
        ("o.swf", "object"), ("g", "iframe"), ("h.ttf", "font"), ("k.svg", "css"),
    }  # fmt: skip
    destinations = {one.kind: one.destination for one in found}
    assert (destinations["img"], destinations["stylesheet"]) == ("image", "style")
    assert destinations["font"] == "subresource"


@pytest.mark.parametrize(
    "unit",
    [
        "<a href=x>", '<p a=&amp;"b">', "<?xml-stylesheet ", "<!--", "<style>url(",
        "<img srcset='a 1x,", "a,", " href=x", "<iframe srcdoc='<a href=&quot;",
        "&quot;", "<meta charset=x>", "<base href=//x/>", "<svg><style>", "url(x)",
        "<meta http-equiv=refresh content='0;", "<p data-srcset='a.png 1x,", '"',
        "@import",
    ],
)  # fmt: skip
@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/css"])
def test_time_is_linear(unit: str, media_type: str) -> None:
    content = unit * (60_000 // len(unit))
    with cpu_within(0.6):
        rewrite(body(content, media_type), local)
        rewrite(body(f"<p {content}", media_type), local)
        rewrite(body(f"<p style='{content}'>", media_type), local)


def test_what_one_document_may_grow_is_bounded() -> None:
    base = f"http://b.test/{'x' * 4000}/"
    grown = rewrite(body(f"<base href={base}>{'<a href=y>' * 5_000}"), local)
    assert len(grown) < 2 * MAX_URL_CHARACTERS
    assert grown.count(b"<a href=y>") > 2000
    many = rewrite(body("url(y)" * (MAX_REFERENCES + 5), "text/css"), local)
    assert many.count(b"url(y)") == 5


LABELS = (
    None, "utf-8", "latin1", "utf-16le", "utf-16be", "gbk", "big5", "shift_jis",
    "iso-2022-jp", "euc-kr", "euc-jp", "hz-gb-2312", "replacement", "x-user-defined",
    "no encoding",
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=4)
        | st.sampled_from(
            [b"<a href='", b"'>", b"<p style='x: url(", b")", b"&#xD800;", b"\\d800 ",
             b"<meta charset=", b">", b"/s/a", b"\x1b$B", b"\xff\xfe", b"<\0a\0", b"\0"]
        ),
        max_size=20,
    ),
    st.sampled_from(["text/html", "text/css", "application/xhtml+xml"]),
    st.sampled_from(LABELS),
)  # fmt: skip
def test_no_document_breaks_it(
    parts: list[bytes], media_type: str, charset: str | None
) -> None:
    document = body(b"".join(parts), media_type, charset)
    requisites(document, say_nothing)
    rewrite(document, local)
