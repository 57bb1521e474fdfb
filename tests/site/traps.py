"""Parts of a site that never end, and archives that only look endless.

The text of a page depends on its number alone. The test says how many pages of each
part are worth a request.
"""

from __future__ import annotations

import random

from tests.site.page import Page, ok
from tests.site.server import Exchange

WORDS = [
    "amber",
    "birch",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heath",
    "islet",
    "juniper",
    "knoll",
    "larch",
    "moor",
    "nook",
]
MONTHS = (
    "January February March April May June "
    "July August September October November December"
)
ARCHIVE = 5000
ITEMS = 24
FOLDERS = [f"/wide/{n}" for n in range(60)]


def sentence(number: int, of: str = "") -> str:
    """A text for each number and each part of the site; no two are the same."""
    chance = random.Random(f"{of}{number}" if of else number)
    return " ".join(chance.choice(WORDS) for _ in range(12))


def menu() -> str:
    return "<title>A site</title><ul><li>Home<li>About us<li>Contact</ul>"


def say(exchange: Exchange, *parts: str) -> None:
    exchange.reply(menu() + "".join(parts))


def links(*paths: str) -> str:
    return "".join(f"<a href='{path}'>more</a> " for path in paths)


def calendar(exchange: Exchange) -> None:
    """Every month links to its days, to the months beside it and a year later."""
    year, month, day = (int(part) for part in [*exchange.args, "1", "1", "1"][:3])
    if len(exchange.args) == 3:
        say(
            exchange,
            f"<h1>{day} {MONTHS.split()[month - 1]} {year}</h1>No events on this day",
        )
        return
    days = "".join(
        f"<td><a href='/calendar/{year}/{month}/{d}'>{d}</a>" for d in range(1, 29)
    )
    after = (year, month + 1) if month < 12 else (year + 1, 1)
    before = (year, month - 1) if month > 1 else (year - 1, 12)
    say(
        exchange,
        f"<h1>{MONTHS.split()[month - 1]} {year}</h1><table>{days}</table>",
        links(*(f"/calendar/{y}/{m}" for y, m in (after, before, (year + 1, month)))),
    )


def chain(exchange: Exchange) -> None:
    """Every month links to the next, with the number of the month alone."""
    month = int(exchange.arg("0"))
    say(exchange, f"<h1>Month {month}</h1>", links(f"/chain/{month + 1}"))


def query(exchange: Exchange) -> None:
    """The same with a query parameter."""
    month = int(exchange.query.partition("=")[2] or 0)
    say(
        exchange,
        f"<h1>Week {month}</h1>",
        links(f"/query?w={month + 1}", f"/query?w={month - 1}"),
    )


def deeper(exchange: Exchange) -> None:
    """A relative link that repeats its folder, with a breadcrumb that shows it."""
    trail = " / ".join(exchange.args)
    say(
        exchange,
        f"<p>You are here: {trail}<p>{exchange.hit.target}",
        "<a href='deeper/'>deeper</a>",
    )


def cycle(exchange: Exchange) -> None:
    """Two folders in turn."""
    onward = "cycle/" if exchange.hit.target.endswith("news/") else "news/"
    say(exchange, f"<a href='{onward}'>on</a>")


def session(exchange: Exchange) -> None:
    """Each request creates a new session id, which all links of a small shop carry."""
    sid = f"{len(exchange.site.log):08x}"
    item = int(exchange.arg("0"))
    others = (f"/session/{(item + step) % ITEMS}?sid={sid}" for step in range(1, 4))
    say(exchange, f"<p>{sentence(item, 'session')}", links(*others))


def matrix(exchange: Exchange) -> None:
    """The same with a path parameter."""
    sid = f"{len(exchange.site.log):08x}"
    item = int(exchange.arg("0").partition(";")[0])
    others = (
        f"/matrix/{(item + step) % ITEMS};jsessionid={sid}" for step in range(1, 4)
    )
    say(exchange, f"<p>{sentence(item, 'matrix')}", links(*others))


FACETS = {"sort": 5, "colour": 6, "size": 5, "brand": 6, "page": 3}


def shop(exchange: Exchange) -> None:
    """One list in all orders and all filters, which can be combined."""
    chosen = dict(pair.split("=") for pair in exchange.query.split("&") if pair)
    keep = [
        n
        for n in range(ITEMS)
        if all(
            n % FACETS[key] == int(value)
            for key, value in chosen.items()
            if key in ("colour", "size")
        )
    ]
    random.Random(chosen.get("sort", 0)).shuffle(keep)
    others = []
    for key, count in FACETS.items():
        for value in range(count):
            wanted = {**chosen, key: str(value)}
            others.append("/shop?" + "&".join(f"{k}={v}" for k, v in wanted.items()))
    say(exchange, "".join(f"<li>{sentence(n, 'shop')}" for n in keep), links(*others))


def facets(exchange: Exchange) -> None:
    """The same as folders, in any order."""
    chosen = [name for name in exchange.args if name]
    others = [name for name in WORDS[:8] if name not in chosen]
    say(
        exchange,
        "".join(f"<li>{sentence(n, 'facets')}" for n in range(8)),
        links(*(f"/facets/{'/'.join([*chosen, name])}" for name in others)),
    )


def archive(exchange: Exchange) -> None:
    """No trap: 5,000 pages of one template, in lists that each link to the next."""
    if exchange.args and exchange.args[0] == "page":
        number = int(exchange.args[1])
        entries = range(number * 100, min(ARCHIVE, number * 100 + 100))
        onward = [f"/archive/page/{number + 1}"] if entries.stop < ARCHIVE else []
        say(exchange, f"<h1>Entries, page {number}</h1>",
            links(*(f"/archive/{n}" for n in entries), *onward))  # fmt: skip
    else:
        number = int(exchange.arg("0"))
        others = links(f"/archive/{(number + 1) % ARCHIVE}", "/archive/page/0")
        say(exchange, f"<h1>Entry {number}</h1><p>{sentence(number)}", others)


def thin(exchange: Exchange) -> None:
    """No trap: one long list of entries that have nothing but a number."""
    if exchange.args:
        say(exchange, f"<p>Entry {exchange.args[0]}", links("/thin"))
    else:
        say(exchange, links(*(f"/thin/{n}" for n in range(1000))))


def serial(exchange: Exchange) -> None:
    """No trap: 600 chapters, each of which links to the next."""
    number = int(exchange.arg("0"))
    say(exchange, f"<p>{sentence(number, 'serial')}",
        links(f"/serial/{number + 1}") if number < 599 else "")  # fmt: skip


def readings(exchange: Exchange) -> None:
    """No trap: 300 days of measurements, which differ only in numbers."""
    day = int(exchange.arg("0"))
    chance = random.Random(day)
    rows = "".join(f"<td>{chance.random() * 40:.2f}" for _ in range(8))
    say(
        exchange,
        f"<table>{rows}</table>",
        links(f"/readings/{day + 1}") if day < 299 else "",
    )


def wide(exchange: Exchange) -> None:
    """A site of 60 pages in as many folders, with a new session id in all links."""
    sid = f"{len(exchange.site.log):08x}"
    number = int(exchange.arg("0"))
    others = (
        f"{FOLDERS[(number * 3 + step) % len(FOLDERS)]}?sid={sid}"
        for step in range(1, 9)
    )
    say(exchange, f"<p>{sentence(number, 'wide')}", links(*others))


def catalogue(exchange: Exchange) -> None:
    """No trap: 1,000 entries that differ only in the query, in sortable lists."""
    chosen = dict(pair.split("=") for pair in exchange.query.split("&") if pair)
    if "id" in chosen:
        number = int(chosen["id"])
        say(
            exchange,
            f"<h1>{sentence(number, 'catalogue')}</h1>"
            f"{sentence(number + ARCHIVE, 'catalogue')}",
            links("/catalogue"),
        )
        return
    number, order = int(chosen.get("page", 0)), chosen.get("sort", "name")
    entries = list(range(number * 20, number * 20 + 20))
    random.Random(order).shuffle(entries)
    onward = [number + 1] if number < 49 else []
    say(
        exchange,
        "".join(
            f"<li><a href='/catalogue?id={n}'>{sentence(n, 'catalogue')}</a>"
            for n in entries
        ),
        links(*(f"/catalogue?page={n}&sort={order}" for n in onward)),
        links(
            *(f"/catalogue?page={number}&sort={by}" for by in ("name", "price", "date"))
        ),
    )


SECTIONS = ["about/team", "news/today", "help"]


def slipped(exchange: Exchange) -> None:
    """A menu of relative links without a base, on a server that accepts any folder."""
    last = "/".join(exchange.hit.target.rstrip("/").split("/")[-2:])
    text = (
        SECTIONS.index(last) if last in SECTIONS else 2 if last.endswith("help") else 9
    )
    say(
        exchange,
        f"<p>{sentence(text, 'slipped')}",
        "".join(f"<a href='{section}/'>{section}</a>" for section in SECTIONS),
    )


def exhausted(exchange: Exchange) -> None:
    """A list of 20 pages, followed by empty ones without end."""
    number = int(exchange.query.partition("=")[2] or 1)
    entries = (
        "".join(f"<li>{sentence(number * 5 + n, 'exhausted')}" for n in range(5))
        if number <= 20
        else ""
    )
    say(exchange, f"<h1>Page {number}</h1>{entries or 'Nothing was found'}",
        links(f"/exhausted?page={number + 1}"))  # fmt: skip


def cookieless(exchange: Exchange) -> None:
    """A new session id for each request, in a folder, as in old ASP.NET."""
    sid = f"{len(exchange.site.log) * 2654435761 % 2**32:08x}"
    item = int(exchange.args[-1])
    others = (
        f"/cookieless/(S({sid}))/item/{(item + step) % ITEMS}" for step in range(1, 4)
    )
    say(exchange, f"<p>{sentence(item, 'cookieless')}", links(*others))


def tags(exchange: Exchange) -> None:
    """The items that have all chosen tags; each page links to one tag more."""
    chosen = [name for name in exchange.arg("").split("+") if name]
    others = [name for name in WORDS[:10] if name not in chosen]
    keep = [
        n for n in range(ITEMS) if all(name in sentence(n, "tags") for name in chosen)
    ]
    say(exchange, "".join(f"<li>{sentence(n, 'tags')}" for n in keep),
        links(*(f"/tags/{'+'.join([*chosen, name])}" for name in others)))  # fmt: skip


def search(exchange: Exchange) -> None:
    """Search words that find nothing; each page links to further ones."""
    words = exchange.query.partition("=")[2].split("+")
    more = (f"/search?q={'+'.join([*words[-2:], word])}" for word in WORDS)
    say(exchange, f"<h1>{' '.join(words)}</h1>Nothing was found. Try:", links(*more))


# The long ones are not in the index, so that a crawl of the index stays short.
PAGES = [
    Page("/calendar/2024/5", calendar, ok()),
    Page("/chain/0", chain, ok()),
    Page("/query?w=0", query, ok()),
    Page("/deeper/", deeper, ok()),
    Page("/cycle/", cycle, ok()),
    Page("/session/0", session, ok()),
    Page("/matrix/0", matrix, ok()),
    Page("/shop", shop, ok()),
    Page("/facets/", facets, ok()),
    Page("/archive/page/0", archive, ok(), listed=False),
    Page("/thin", thin, ok(), listed=False),
    Page("/serial/0", serial, ok()),
    Page("/wide/0", wide, ok()),
    Page("/catalogue", catalogue, ok()),
    Page("/readings/0", readings, ok()),
    Page("/slipped/", slipped, ok(), listed=False),
    Page("/exhausted?page=1", exhausted, ok(), listed=False),
    Page("/cookieless/(S(0))/item/0", cookieless, ok(), listed=False),
    Page("/tags/", tags, ok(), listed=False),
    Page("/search?q=amber", search, ok(), listed=False),
]
