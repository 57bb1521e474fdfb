"""One page under many URLs: alternate views, links back, other spellings."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl, quote, unquote

from tests.site.page import Page, ok
from tests.site.server import Exchange
from tests.site.traps import ITEMS, links, say, sentence

POSTS = 150
COMMENTS = 3
NAMES = ["Ada", "Bela", "Cleo", "Dora", "Emil", "Finn", "Gero", "Hugo"]
VARIANT_ITEMS = 40


def post(number: int) -> str:
    """Some paragraphs, as long as those of a blog."""
    return "".join(f"<p>{sentence(number * 100 + n, 'blog')}" for n in range(16))


def blog(exchange: Exchange) -> None:
    """Posts in one index.

    Each has a print view, share links and replies to comments.
    """
    if not exchange.args or not exchange.args[0]:
        say(exchange, links(*(f"/blog/{n}" for n in range(POSTS))))
        return
    number, chosen = int(exchange.args[0]), dict(parse_qsl(exchange.query))
    if "share" in chosen:
        away = f"http://{chosen['share']}.example/?u={number}"
        exchange.reply(status=302, headers=(("Location", away),))
        return
    view = exchange.args[1] if len(exchange.args) > 1 else ""
    title = f"Print of post {number}" if "print" in chosen or view else f"Post {number}"
    answers = [number * COMMENTS + n for n in range(COMMENTS)]
    to = int(chosen.get("replytocom", 0))
    head = (
        f"<h2>Leave a reply to {NAMES[to % len(NAMES)]}</h2>"
        if to
        else "<h2>Leave a reply</h2>"
    )
    here = f"/blog/{number}"
    say(
        exchange,
        f"<h1>{title}</h1>",
        post(number),
        head,
        links(
            f"{here}?print=1",
            f"{here}/amp",
            f"{here}?share=twitter",
            f"{here}?share=mail",
            *(f"{here}?replytocom={n}" for n in answers),
        ),
    )


def shelf(exchange: Exchange) -> None:
    """24 items; each links to a login that carries the page it came from.

    The login page links to itself in the same way.
    """
    item = exchange.arg("0")
    here = quote(exchange.hit.target, safe="")
    say(exchange, f"<p>{sentence(int(item), 'shelf')}",
        links(*(f"/shelf/{(int(item) + step) % ITEMS}" for step in range(1, 4)),
              f"/login?returnTo={here}", f"/account/orders?from={here}"))  # fmt: skip


def login(exchange: Exchange) -> None:
    here = quote(exchange.hit.target, safe="")
    say(exchange, f"<p>Log in, to go on to {unquote(exchange.query)}",
        links(f"/login?returnTo={here}"))  # fmt: skip


def account(exchange: Exchange) -> None:
    """Redirects to the login; its URL carries the page, and so grows."""
    here = quote(exchange.hit.target, safe="")
    exchange.reply(status=302, headers=(("Location", f"/login?returnTo={here}"),))


def case_variants(exchange: Exchange) -> None:
    """A server that accepts any case, and pages that use different ones."""
    number = int(exchange.args[-1])
    others = (
        f"/case-variants/{anyhow('products/item')}/{(number + step) % VARIANT_ITEMS}"
        for step in range(8)
    )
    say(
        exchange,
        f"<title>Item {number}</title><p>{sentence(number, 'case-variants')}",
        links(*others),
    )


def anyhow(word: str) -> str:
    return "".join(random.choice((str.upper, str.lower))(letter) for letter in word)


def planner(exchange: Exchange) -> None:
    """A calendar that keeps the chosen day and view in its URL."""
    chosen = {"view": "month", "date": "2024-05-01", **dict(parse_qsl(exchange.query))}
    year, month, day = (int(part) for part in chosen["date"].split("-"))
    after = f"{year + month // 12}-{month % 12 + 1:02}-{day:02}"
    before = f"{year - (month == 1)}-{(month - 2) % 12 + 1:02}-{day:02}"
    views = (
        f"/planner?view={view}&date={chosen['date']}"
        for view in ("week", "month", "list")
    )
    days = (f"/planner?view=day&date={year}-{month:02}-{n:02}" for n in range(1, 29))
    say(exchange, f"<h1>{chosen['view']} of {chosen['date']}</h1>Nothing is planned",
        links(f"/planner?view={chosen['view']}&date={after}",
              f"/planner?view={chosen['view']}&date={before}",
              *views, *days))  # fmt: skip


PAGES = [
    Page("/blog/", blog, ok()),
    Page("/shelf/0", shelf, ok()),
    Page("/login?returnTo=/", login, ok(), listed=False),
    Page("/account/orders", account, listed=False),
    Page("/case-variants/products/item/0", case_variants, ok()),
    Page("/planner?view=month&date=2024-05-01", planner, ok()),
]
