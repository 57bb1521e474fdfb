"""A shop, a newspaper and their papers, as the site of docs/recipes.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.helpers.crawling import png
from tests.site.page import reply
from tests.site.server import Exchange, Handler, Site

PRODUCTS = {
    "lamp": ("Lamp", "€ 1.299,00", "In stock", "red"),
    "desk": ("Desk “Oslo”", "€ 449,50", "Sold out", "green"),
    "chair": ("Chair", "€ 89,00", "In stock", "blue"),
}
"""Name, price, availability and colour of the picture, by the last part of the URL."""

ARTICLES = {
    "harbour": (
        "The harbour freezes over",
        "2026-11-28T07:15:00+01:00",
        "Ada Lovelace",
        ("weather", "ports"),
    ),
    "bridge": ("A bridge for bicycles", "2026-11-29", "Grace Hopper", ("traffic",)),
}
"""Headline, date, author and tags, by the last part of the URL."""

PDF = b"%PDF-1.4\n1 0 obj <</Type/Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"

_PARAGRAPH = (
    "<p>In the morning the whole town stood at the quay and looked at what had been "
    "water the day before. Nobody could remember a winter like this one, and those who "
    "said that they could were asked for the year, which they did not know.</p>"
)


class ShopAndNews:
    """The running site. `prices` may be changed while it runs."""

    def __init__(self) -> None:
        self.prices = {name: product[1] for name, product in PRODUCTS.items()}
        self.site = Site(self._handlers())

    def _handlers(self) -> dict[str, Handler]:
        return {
            "": reply(_page("Home", _links("/shop/", "/news/", "/papers/"))),
            "shop": _page_of(self._shop),
            "news": _page_of(_news),
            "papers": _papers,
            "pictures": lambda exchange: exchange.reply(
                png(300, 200, exchange.arg("red").partition(".")[0]), "image/png"
            ),
            "gone": reply(status=404),
            "robots.txt": reply(status=404),
        }

    def _shop(self, name: str) -> str:
        if name in PRODUCTS:
            return self._product(name)
        listed = "".join(
            f'<li class="product" data-sku="sku-{key}"><h2>{title}</h2>'
            f'<img src="/pictures/{colour}.png" alt="{title}">'
            f'<a href="/shop/{key}">More</a> <span class="price">{self.prices[key]}'
            f'</span> <span class="stock">{stock}</span></li>'
            for key, (title, _, stock, colour) in PRODUCTS.items()
        )
        return _page("Shop", f"<h1>Shop</h1><ul>{listed}</ul>")

    def _product(self, name: str) -> str:
        title, _, stock, colour = PRODUCTS[name]
        price = self.prices[name].removeprefix("€ ").replace(".", "").replace(",", ".")
        there = "InStock" if stock == "In stock" else "SoldOut"
        data = {
            "@context": "https://schema.org",
            "@type": "Product",
            "name": title,
            "offers": {
                "@type": "Offer",
                "price": price,
                "priceCurrency": "EUR",
                "availability": f"https://schema.org/{there}",
            },
        }
        return _page(
            title, f'<h1>{title}</h1><img src="/pictures/{colour}.png" alt="">', data
        )


def _news(name: str) -> str:
    if name not in ARTICLES:
        return _page("News", _links(*(f"/news/{key}" for key in ARTICLES), "/gone"))
    headline, date, author, tags = ARTICLES[name]
    data = {"@type": "NewsArticle", "headline": headline, "datePublished": date}
    tagged = "".join(f'<a rel="tag" href="/news/?tag={one}">{one}</a>' for one in tags)
    return _page(
        headline,
        f'<main><article><h1>{headline}</h1><p class="by">By <a rel="author" '
        f'href="/news/">{author}</a></p>{_PARAGRAPH * 4}<h2>What now</h2>{_PARAGRAPH}'
        f'</article></main><p class="tags">{tagged}</p>',
        data,
    )


def _papers(exchange: Exchange) -> None:
    if exchange.arg("").endswith(".pdf"):
        exchange.reply(PDF + exchange.arg("").encode(), "application/pdf")
    else:
        links = _links("/papers/ice.pdf", "/papers/bridges.pdf", "/papers/again.pdf")
        exchange.reply(_page("Papers", links))


def _page_of(make: Callable[[str], str]) -> Handler:
    return lambda exchange: exchange.reply(make(exchange.arg("")))


def _page(title: str, body: str, json_ld: object = None) -> str:
    script = f'<script type="application/ld+json">{json.dumps(json_ld)}</script>'
    return (
        f'<!doctype html><html lang="en"><title>{title}</title>'
        f"{script if json_ld else ''}<body>{body}</body></html>"
    )


def _links(*paths: str) -> str:
    return "".join(f'<a href="{path}">{path}</a> ' for path in paths)


@contextmanager
def shop_and_news() -> Iterator[ShopAndNews]:
    """The site, while it runs."""
    running = ShopAndNews()
    try:
        yield running
    finally:
        running.site.stop()
