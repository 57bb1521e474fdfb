"""Large archives that are worth every request: they must not be taken for traps."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl

from tests.site.page import Page, ok
from tests.site.server import Exchange
from tests.site.traps import WORDS, links, say, sentence

LEAVES = 800
ARTICLES = 3000
THREADS = 400
BOARDS = 4
SHOWN = 20


def leaves(exchange: Exchange) -> None:
    """A list of 800 pages, each with entries that no other page has."""
    number = int(dict(parse_qsl(exchange.query)).get("page", 1))
    entries = "".join(f"<li>{sentence(number * 5 + n, 'leaves')}" for n in range(5))
    onward = [n for n in (number - 1, number + 1) if 1 <= n <= LEAVES]
    say(
        exchange,
        f"<h1>Page {number}</h1>{entries}",
        links(*(f"/leaves?page={n}" for n in onward)),
    )


def article(number: int) -> str:
    """The name of an article, capitalised as in a wiki."""
    chance = random.Random(number)
    return "_".join(
        [*(chance.choice(WORDS).title() for _ in range(2)), f"{number:x}".upper()]
    )


ARTICLE_OF = {article(number): number for number in range(ARTICLES)}


def wiki(exchange: Exchange) -> None:
    """3,000 articles that only other articles link to."""
    number = ARTICLE_OF[exchange.arg(article(0))]
    nearby = [
        2 * number + 1,
        2 * number + 2,
        number * 7 % ARTICLES,
        (number + 1) % ARTICLES,
    ]
    others = [f"/wiki/{article(n)}" for n in nearby if n < ARTICLES]
    name = article(number).replace("_", " ")
    text = ". ".join(sentence(n, "wiki") for n in (number, number + ARTICLES))
    say(exchange, f"<h1>{name}</h1><p>{text}.", links(*others))


def forum(exchange: Exchange) -> None:
    """Boards list threads; a thread has several pages and links to the one before."""
    chosen = {key: int(value) for key, value in parse_qsl(exchange.query)}
    start = chosen.get("start", 0)
    if "t" in chosen:
        thread = chosen["t"]
        posts = 5 + thread % 30
        shown = range(start, min(posts, start + 10))
        onward = [f"/forum?t={thread}&start={start + 10}"] if shown.stop < posts else []
        others = [f"/forum?t={thread - BOARDS}"] if thread >= BOARDS else []
        say(exchange, f"<h1>Thread {thread}</h1>",
            "".join(f"<p>{sentence(thread * 100 + n, 'forum')}" for n in shown),
            links(*onward, *others, f"/forum?f={thread % BOARDS}"))  # fmt: skip
    elif "f" in chosen:
        threads = range(chosen["f"], THREADS, BOARDS)
        shown = threads[start : start + SHOWN]
        last = shown[-1] == threads[-1]
        onward = [] if last else [f"/forum?f={chosen['f']}&start={start + SHOWN}"]
        say(exchange, "".join(f"<li>{sentence(n, 'forum')}" for n in shown),
            links(*(f"/forum?t={n}" for n in shown), *onward))  # fmt: skip
    else:
        say(exchange, links(*(f"/forum?f={n}" for n in range(BOARDS))))


def forum_pages() -> int:
    """How many pages the forum has."""
    boards = BOARDS * (THREADS // BOARDS // SHOWN)
    return 1 + boards + sum((5 + thread % 30 + 9) // 10 for thread in range(THREADS))


PAGES = [
    Page("/leaves?page=1", leaves, ok()),
    Page(f"/wiki/{article(0)}", wiki, ok()),
    Page("/forum", forum, ok()),
]
