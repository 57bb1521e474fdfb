"""robots.txt and sitemaps. The name of a host decides which robots.txt it has.

The site answers for `robots-503.test` as well as for its own address; use `--resolve`
to send a client there.
"""

from __future__ import annotations

import gzip

from tests.site.page import Handler, Page, ok, raw, reply
from tests.site.server import Exchange

TEXT = "text/plain"
DISALLOW = "User-agent: *\nDisallow: /private/\nDisallow: /*.gif$\n"
VARIANTS: dict[str, Handler] = {
    "robots-404.test": reply("<p>none", status=404),
    "robots-403.test": reply("<p>no", status=403),
    "robots-500.test": reply("<p>oops", status=500),
    "robots-503.test": reply("<p>later", status=503),
    "robots-429.test": reply(
        "<p>slow down", status=429, headers=(("Retry-After", "1"),)
    ),
    "robots-none.test": reply("User-agent: *\nDisallow: /\n", TEXT),
    "robots-some.test": reply(DISALLOW, TEXT),
    "robots-ours.test": reply(
        "User-agent: *\nDisallow: /\n\nUser-agent: orbweb\nAllow: /\n", TEXT
    ),
    "robots-delay.test": reply("User-agent: *\nCrawl-delay: 1\n", TEXT),
    "robots-bom.test": reply("\ufeffUser-agent: *\nDisallow: /private/\n", TEXT),
    "robots-html.test": reply("<!doctype html><title>Home</title>"),
    "robots-gzip.test": reply(
        gzip.compress(DISALLOW.encode()), TEXT, headers=(("Content-Encoding", "gzip"),)
    ),
    "robots-huge.test": reply("# filler\n" * 100_000 + DISALLOW, TEXT),
    "robots-redirect.test": reply(
        status=301, headers=(("Location", "/robots-moved.txt"),)
    ),
    "robots-loop.test": reply(status=302, headers=(("Location", "/robots.txt"),)),
    "robots-drop.test": raw(),
    "robots-sitemap.test": reply(
        "Sitemap: http://robots-sitemap.test/sitemap.xml\n", TEXT
    ),
}


def robots(exchange: Exchange) -> None:
    variant = VARIANTS.get(exchange.hit.host.partition(":")[0])
    if variant is None:
        exchange.reply("User-agent: *\nDisallow: /private/\n", TEXT)
    else:
        variant(exchange)


def private(exchange: Exchange) -> None:
    exchange.reply("<p>a client that obeys robots.txt never sees this")


def sitemap(exchange: Exchange) -> None:
    host = exchange.hit.host
    urls = "".join(
        f"<url><loc>http://{host}/{name}</loc></url>" for name in ("arrived", "text")
    )
    exchange.reply(f'<?xml version="1.0"?><urlset>{urls}</urlset>', "application/xml")


PAGES = [
    Page("/robots.txt", robots, ok()),
    Page("/robots-moved.txt", reply(DISALLOW, TEXT), ok()),
    Page("/private/secret", private, ok()),
    Page("/sitemap.xml", sitemap, ok()),
]
