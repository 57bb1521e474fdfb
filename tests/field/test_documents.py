"""Charsets that nothing declares, pictures in odd places, sitemaps and feeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.field.cases import (
    IMAGE,
    OK,
    Case,
    Reply,
    faults,
    html,
    links,
    page,
    parameters,
    robots,
    titles,
)

XML = '<?xml version="1.0"?>'
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def undeclared(case_id: str, report: str, charset: str, title: str, text: str) -> Case:
    """A page in a charset that neither header nor document declares."""
    document = f"<html><head><title>{title}</title></head><body>{text}"
    return Case(
        case_id,
        report,
        f"undeclared {charset}",
        {"/": html(document.encode(charset))},
        holds=lambda records: titles(records) == {title},
    )


def listing(*urls: str) -> str:
    locations = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return f'{XML}<urlset xmlns="{SITEMAP}">{locations}</urlset>'


def sitemap(
    case_id: str,
    report: str,
    about: str,
    reply: Reply,
    *,
    path: str = "/sitemap.xml",
    wanted: str = "/in",
) -> Case:
    """A sitemap that robots.txt names."""
    named = f"Sitemap: http://{case_id}.field.test:@PORT@{path}\n"
    routes = {"/robots.txt": robots(named), "/": OK, path: reply, "/in": OK}
    return Case(
        case_id, report, about, routes, wanted=(wanted,), options=("--sitemaps",)
    )


CHARSETS = [
    undeclared(
        "c04",
        "scrapy/scrapy#3135",
        "shift_jis",
        "国際疾病分類コード表",
        "これは文字コードの宣言がない古いページです。" * 20,
    ),
    undeclared(
        "c07",
        "linkchecker/linkchecker#533",
        "utf-8",
        "Besök oss på Begär offert",
        "å ä ö",
    ),
    undeclared(
        "c08",
        "gocolly/colly#899",
        "cp1251",
        "Новости дня",
        "Это старая страница без объявленной кодировки. " * 20,
    ),
    Case(
        "c22",
        "linkchecker/linkchecker#533",
        "undeclared UTF-8 in a link",
        {"/": html('<title>Über uns</title><a href="/größe">x</a>'), "*": OK},
        wanted=("/gr%C3%B6%C3%9Fe",),
    ),
    Case(
        "y08",
        "scrapy/scrapy#8054",
        "undeclared ISO-8859-2 and Big5",
        {
            "/": links("/1", "/2"),
            "/1": html(
                (
                    "<html><title>Zażółć gęślą jaźń</title>"
                    + "Wszyscy ludzie rodzą się wolni i równi pod względem swej "
                    "godności. " * 15
                ).encode("iso-8859-2")
            ),
            "/2": html(
                (
                    "<html><title>人人生而自由</title>"
                    + "在尊嚴和權利上一律平等，他們賦有理性和良心。" * 15
                ).encode("big5")
            ),
        },
        holds=lambda records: titles(records) >= {"Zażółć gęślą jaźń", "人人生而自由"},
    ),
]

IMAGES = [
    Case(
        "i03",
        "xroche/httrack#236, rockdaboot/wget2#374, internetarchive/heritrix3#692",
        "lazy pictures in data-srcset, data-src, data-full-src, data-lazy-srcset",
        {
            "/": page(
                '<picture><source data-srcset="/1.png" srcset="/1.png">'
                '<img class=lazyload data-src="/1b.png" '
                'src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></picture>'
                '<img data-src="/2.png" src="/blank.gif">'
                '<img data-full-src="/3.png" src="/3s.png">'
                '<img data-lazy-srcset="/4.png 1x, /4b.png 2x">'
                '<img data-original="/5.png"><img data-lazy-src="/6.png">'
                '<noscript><img src="/7.png"></noscript>'
            ),
            "*": IMAGE,
        },
        wanted=("/1.png", "/2.png", "/3.png", "/4b.png", "/5.png", "/6.png", "/7.png"),
    ),
    Case(
        "i04",
        "xroche/httrack#203",
        "attributes of a site's own, such as data-imglg",
        {
            "/": page(
                '<div class=ban data-imglg="/lg.jpg" data-imgmd="/md.jpg" '
                'data-imgsm="/sm.jpg"></div><a data-bg="/bg.webp">x</a>'
                '<div data-background-image="url(/bgi.png)"></div>'
            ),
            "*": IMAGE,
        },
        wanted=("/lg.jpg", "/bg.webp", "/bgi.png"),
    ),
    Case(
        "i05",
        "ArchiveTeam/wpull#374, xroche/httrack#2, mitchcapper/httrack#18",
        "pictures in style sheets and in style attributes",
        {
            "/a/": html(
                '<link rel=stylesheet href="/css/m.css"><style>#e{background-image:'
                'url();width:1px}#n{background:url("in.png")}</style>'
                '<div style="background:url(&quot;/st.png&quot;)">x</div>'
            ),
            "/css/m.css": Reply(
                b"#e{background-image:url();width:144px}"
                b'#n{background-image:url(../images/z.png)}@import "o.css";',
                "text/css",
            ),
            "/css/o.css": Reply(b"a{background:url('y.png')}", "text/css"),
            "*": IMAGE,
        },
        wanted=("/a/in.png", "/st.png", "/images/z.png", "/css/y.png"),
        seed="/a/",
    ),
    Case(
        "i22",
        "sibling of i03",
        "background, amp-img, object, image_src, og:image, JSON-LD, poster, preload",
        {
            "/": page(
                '<link rel=image_src href="/is.png">'
                '<meta property="og:image" content="/og.png">'
                '<meta name="twitter:image" content="/tw.png">'
                '<script type="application/ld+json">'
                '{"@type":"Product","image":["/ld.png"]}</script>'
                '<body background="/bb.png"><table><td background="/td.png"></table>'
                '<amp-img src="/amp.png"></amp-img>'
                '<object data="/ob.svg" type="image/svg+xml"></object>'
                '<video poster="/po.png"></video>'
                '<a href="/big.jpg"><img src="/small.jpg"></a>'
                '<input type=image src="/in.png">'
                '<link rel=preload as=image href="/pre.png">'
            ),
            "*": IMAGE,
        },
        wanted=(
            "/is.png",
            "/og.png",
            "/tw.png",
            "/ld.png",
            "/bb.png",
            "/td.png",
            "/amp.png",
            "/ob.svg",
            "/po.png",
            "/big.jpg",
            "/in.png",
            "/pre.png",
        ),
    ),
    Case(
        "i23",
        "sibling of xroche/httrack#203",
        "pictures in JSON inside data attributes",
        {
            "/": page(
                """<div data-attrs='{"src":"/json.png"}'></div>"""
                '<div data-props="{&quot;img&quot;:'
                '&quot;http://i23.field.test:@PORT@/j2.png&quot;}"></div>'
            ),
            "*": IMAGE,
        },
        wanted=("/json.png",),
    ),
]


def entry(case_id: str, link: str) -> str:
    return f"<item><link>http://{case_id}.field.test:@PORT@{link}</link></item>"


SITEMAPS = [
    sitemap(
        "m01",
        "scrapy/scrapy#2389, #951",
        "sitemap.xml.gz that is compressed once, as its Content-Encoding says",
        Reply(
            listing("http://m01.field.test:@PORT@/in").encode(),
            "application/octet-stream",
            headers=("Content-Encoding: gzip",),
            gzipped=True,
        ),
        path="/s.xml.gz",
    ),
    sitemap(
        "m08",
        "crawler-commons/crawler-commons#143",
        "a text sitemap in a gzip file",
        Reply(b"http://m08.field.test:@PORT@/in\n", "application/gzip", gzipped=True),
        path="/list.txt.gz",
    ),
    sitemap(
        "m21",
        "commoncrawl/news-crawl#13",
        "a bare & in loc",
        Reply(
            listing("http://m21.field.test:@PORT@/in?a=1&b=2&c=3").encode(), "text/xml"
        ),
        wanted="/in?a=1&b=2&c=3",
    ),
    sitemap(
        "m22",
        "crawler-commons/crawler-commons#143",
        "a text sitemap",
        Reply(
            b"http://m22.field.test:@PORT@/in\nhttp://m22.field.test:@PORT@/in2\n",
            "text/plain",
        ),
        path="/list.txt",
    ),
    sitemap(
        "m27",
        "scrapy/scrapy#951",
        "a sitemap sent as application/octet-stream",
        Reply(
            listing("http://m27.field.test:@PORT@/in").encode(),
            "application/octet-stream",
        ),
    ),
    Case(
        "m12",
        "commoncrawl/news-crawl#13, crawler-commons/crawler-commons#205",
        "a feed with undeclared entities, bare &, CDATA, relative links",
        {
            "/": page('<link rel=alternate type="application/rss+xml" href="/f.xml">'),
            "/f.xml": html(
                f'{XML}<rss version="2.0"><channel><title>L&rsquo;a &uacute; & b'
                "</title><link>/home</link><item><title>A & B</title><link><![CDATA["
                "http://m12.field.test:@PORT@/i1?a=1&b=2]]></link></item>"
                '<item><link>i2</link></item><item><guid isPermaLink="true">'
                "http://m12.field.test:@PORT@/i3</guid></item>"
                f"{entry('m12', '/i4?x=1&y=2')}</channel></rss>",
                "application/rss+xml",
            ),
            "*": OK,
        },
        wanted=("/f.xml", "/i1?a=1&b=2", "/i2", "/i4?x=1&y=2"),
    ),
    Case(
        "m13",
        "FreshRSS/FreshRSS#2004, #3686",
        "a feed sent as application/octet-stream, and one without a type",
        {
            "/": links("/f", "/g"),
            "/f": html(
                f'{XML}<rss version="2.0"><channel>{entry("m13", "/i1")}'
                "</channel></rss>",
                "application/octet-stream",
            ),
            "/g": html(
                '<feed xmlns="http://www.w3.org/2005/Atom"><entry>'
                '<link href="/i2"/></entry></feed>',
                None,
            ),
            "*": OK,
        },
        wanted=("/i1", "/i2"),
    ),
]


@pytest.mark.parametrize("case", parameters([*CHARSETS, *IMAGES, *SITEMAPS]))
def test_a_crawl_finds_what_others_find(case: Case, tmp_path: Path) -> None:
    assert faults(case, tmp_path / "out") == []
