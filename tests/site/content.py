"""Documents: character sets, links, depth."""

from __future__ import annotations

import zlib

from tests.site.page import Expect, Page, endless, ok, reply
from tests.site.server import Exchange

CHARSETS = {  # label: codec
    "utf-8": "utf-8",
    "windows-1251": "cp1251",
    "shift_jis": "shift_jis",
    "gb18030": "gb18030",
    "iso-8859-2": "iso8859-2",
    "euc-kr": "euc-kr",
    "koi8-r": "koi8-r",
    "big5": "big5",
}
WORDS = {
    "cp1251": "Привет", "koi8-r": "Привет", "shift_jis": "日本語", "gb18030": "中文",
    "big5": "中文", "euc-kr": "한국어", "iso8859-2": "Żółć", "utf-8": "Grüße",
}  # fmt: skip


def charset(exchange: Exchange) -> None:
    """A title in a legacy character set that the Content-Type header names."""
    label = exchange.arg("utf-8")
    codec = CHARSETS[label]
    page = f"<title>{WORDS[codec]}</title><a href='/arrived?q={WORDS[codec]}'>link</a>"
    exchange.reply(page.encode(codec), f"text/html; charset={label}")


def charset_meta(exchange: Exchange) -> None:
    """The same, but only the document names the character set."""
    label = exchange.arg("utf-8")
    codec = CHARSETS[label]
    page = f"<meta charset={label}><title>{WORDS[codec]}</title>"
    exchange.reply(page.encode(codec), "text/html")


LINKS = """<!doctype html><html lang=en><title>Links</title><base href="/base/">
<link rel=canonical href="/links"><link rel=next href="/links?page=2">
<meta name=description content="All kinds of links"><meta name=robots \
content="noarchive">
<a href="relative">relative</a> <a href="/absolute">absolute</a> \
<a href="//127.0.0.1:1/other">
scheme</a> <a href="?query">query</a> <a href="#fragment">fragment</a> \
<a href="">empty</a>
<a href=" /spaces ">spaces</a> <a href="/a b">space inside</a> \
<a href="/caf\u00e9">utf-8</a>
<a href="mailto:a@b.example">mail</a> <a href="javascript:void(0)">script</a>
<a href="data:text/html,hi">data</a> <a href="http://[bad">bad</a> \
<a href="ftp://a.example/">ftp</a>
<a rel=nofollow href="/nofollow">nofollow</a> <area href="/area">\
<iframe src="/iframe"></iframe>
<img src="/image/red.png" alt="Red"><img srcset="/image/red.gif 1x, /image/red.jpg 2x">
"""

# Documents that try to become much more in memory than they are on the wire.


def long_base(exchange: Exchange) -> None:
    """60,000 short links that the document's base makes long."""
    base = f"<base href='/{'d/' * 4000}'>"
    exchange.reply(base + "".join(f"<a href={n}>" for n in range(60_000)))


def endless_srcset(exchange: Exchange) -> None:
    sizes = ", ".join(f"{n} 1w" for n in range(140_000))
    exchange.reply(f"<img src=/image/red.png srcset='{sizes}'>")


def endless_style(exchange: Exchange) -> None:
    exchange.reply(
        "<style>" + "".join(f"url({n})" for n in range(150_000)) + "</style>"
    )


def endless_attributes(exchange: Exchange) -> None:
    exchange.reply(
        "<a href=/arrived " + " ".join(f"a{n}=1" for n in range(180_000)) + ">x</a>"
    )


def endless_references(exchange: Exchange) -> None:
    exchange.reply(
        "<a href='/arrived'>x</a><a title='" + "&amp;" * 350_000 + "' href=/arrived>"
    )


def endless_sitemap(exchange: Exchange) -> None:
    """A sitemap that is a hundred times as large when unpacked; its URLs are equal."""
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(b"<urlset>") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"<url><loc>/arrived</loc></url>" * 10_000)
    block += packer.flush(zlib.Z_FULL_FLUSH)
    # No client reads as far as its end, which is missing.
    exchange.reply(start + block * 150, "application/gzip")


def deep_feed(exchange: Exchange) -> None:
    exchange.reply("<rss><channel>" + "<item>" * 200_000, "application/rss+xml")


def billion_laughs(exchange: Exchange) -> None:
    entities = "".join(
        f"<!ENTITY x{n} '{f'&x{n - 1};' * 9 if n else 'ha'}'>" for n in range(12)
    )
    text = f"<?xml version='1.0'?><!DOCTYPE rss [{entities}]>"
    exchange.reply(
        text + "<rss><item><link>&x11;</link></item></rss>", "application/rss+xml"
    )


HOSTILE = {
    "long-base": long_base,
    "endless-srcset": endless_srcset,
    "endless-style": endless_style,
    "endless-attributes": endless_attributes,
    "endless-references": endless_references,
    "endless-sitemap": endless_sitemap,
    "deep-feed": deep_feed,
    "billion-laughs": billion_laughs,
}

HEAVY = Expect(megabytes=40.0)
"""A page may have this many links or images."""

PAGES = [
    *[Page(f"/{name}", answer, HEAVY) for name, answer in HOSTILE.items()],
    Page("/links", reply(LINKS), ok(LINKS.encode())),
    *[Page(f"/charset/{label}", charset, ok()) for label in CHARSETS],
    *[Page(f"/charset-meta/{label}", charset_meta, ok()) for label in CHARSETS],
    Page(
        "/charset-unknown",
        reply("<title>x</title>", "text/html; charset=klingon"),
        ok(),
    ),
    Page(
        "/charset-codec", reply("<title>x</title>", "text/html; charset=base64"), ok()
    ),
    Page(
        "/charset-twice",
        reply("<meta charset=koi8-r><title>Grüße</title>", "text/html; charset=utf-8"),
        ok(),
    ),
    Page("/utf-16", reply("<title>wide</title>".encode("utf-16")), ok()),
    Page("/no-content-type", reply("<p>plain", ""), ok(b"<p>plain")),
    Page("/empty", reply(""), ok(b"")),
    Page("/nul", reply(b"<p>a\0b<a href='/arrived'>x</a>"), ok()),
    Page("/deep", reply("<div>" * 100_000 + "<a href='/arrived'>bottom</a>"), ok()),
    Page(
        "/many-links",
        reply("".join(f"<a href='/arrived?{n}'>" for n in range(60_000))),
        HEAVY,
    ),
    Page("/many-attributes", reply("<a " + "x=y " * 50_000 + "href=/arrived>"), ok()),
    Page("/long-url", reply(f"<a href='/{'a' * 100_000}'>long</a>"), ok()),
    Page("/unclosed", reply("<title>never<a href=/arrived"), ok()),
    Page(
        "/meta-refresh",
        reply("<meta http-equiv=refresh content='0; url=/arrived'>"),
        ok(),
    ),
    Page(
        "/nofollow", reply("<meta name=robots content=nofollow><a href=/arrived>"), ok()
    ),
    Page(
        "/x-robots-tag",
        reply("<a href=/text>", headers=(("X-Robots-Tag", "nofollow"),)),
        ok(),
    ),
    Page("/frames", reply("<frameset><frame src=/arrived></frameset>"), ok()),
    Page("/text", reply("just words", "text/plain"), ok(b"just words")),
    Page("/json", reply('{"a": 1}', "application/json"), ok(b'{"a": 1}')),
    Page("/pdf", reply(b"%PDF-1.4\n%%EOF", "application/pdf"), ok()),
    Page(
        "/event-stream",
        endless(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            b"data: tick\n\n",
            0.05,
        ),
    ),
]
