"""Sites with all pages at the top: a maze of words, and real sites that look like one.

Each is a whole site, as a mapping that has a page under any name.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.site.server import Exchange, Handler
from tests.site.traps import links, say, sentence

ARTICLES = 5000
MEMBERS = 1000
ENTRIES = 600
LANGUAGES, TOPICS = 40, 30
_SYLLABLES = [a + b for a, b in zip("bcdfghjklmnprstvwxyz", "aeiou" * 4, strict=True)]


class AnyPage(dict[str, Handler]):
    """A mapping that has one handler for every name."""

    def __init__(self, handler: Handler) -> None:
        super().__init__({"robots.txt": lambda exchange: exchange.reply(status=404)})
        self._handler = handler

    def get(self, name: str, _default: object = None) -> Handler:  # type: ignore[override]
        return super().get(name) or self._handler


def word(number: int) -> str:
    """A word of letters for each number; no two numbers share one."""
    syllables = []
    number += 20
    while number:
        number, rest = divmod(number, 20)
        syllables.append(_SYLLABLES[rest])
    return "".join(syllables)


NUMBER_OF = {
    word(number): number for number in range(max(ARTICLES, MEMBERS, ENTRIES) + 1)
}


def new_words(of: str, count: int) -> list[str]:
    """Words that depend on `of`, nearly all of them new."""
    chance = random.Random(of)
    return [word(chance.randrange(20**6)) for _ in range(count)]


FORMS: dict[str, Callable[[str], str]] = {
    "folders": lambda one: f"/{one}/",
    "pages": lambda one: f"/{one}",
    "pairs": lambda one: f"/{one}-{one[::-1]}",
    "below": lambda one: f"/{one}/{len(one)}",
    "deep": lambda one: f"/{one}/{one[::-1]}/",
    "mixed": lambda one: (
        f"/{one}" + ("", "/", f"/{len(one)}", f"/{one[:4]}/x")[len(one) % 4]
    ),
}


def maze(form: str, branches: int = 6) -> AnyPage:
    """Every page links to words that were never used before, and shows only those."""

    def answer(exchange: Exchange) -> None:
        own = exchange.name or "welcome"
        others = new_words(exchange.hit.target, branches)
        say(
            exchange,
            f"<title>{own}</title><h1>{own}</h1><p>More about {own}:",
            *(f"<li><a href='{FORMS[form](one)}'>{one}</a>" for one in others),
        )

    return AnyPage(answer)


def encyclopedia(exchange: Exchange) -> None:
    """5,000 articles that only other articles link to.

    A third has a single sentence.
    """
    number = NUMBER_OF[exchange.name] if exchange.name else 0
    nearby = [
        2 * number + 1,
        2 * number + 2,
        number * 7 % ARTICLES,
        (number + 1) % ARTICLES,
    ]
    others = [f"/{word(n)}" for n in nearby if n < ARTICLES]
    text = ". ".join(
        sentence(n, "encyclopedia")
        for n in range(number, number + 1 + 2 * (number % 3))
    )
    say(exchange, f"<h1>{word(number)}</h1><p>{text}.", links(*others))


def stubs(exchange: Exchange) -> None:
    """The same, but three of four articles are stubs that say there is nothing yet."""
    number = NUMBER_OF[exchange.name] if exchange.name else 0
    nearby = [2 * number + 1, 2 * number + 2, (number + 1) % ENTRIES]
    others = [f"/{word(n)}/" for n in nearby if n < ENTRIES]
    text = "This is a stub." if number % 4 else sentence(number, "stubs")
    say(exchange, f"<h1>{word(number)}</h1><p>{text}", links(*others))


def members(exchange: Exchange) -> None:
    """A list of 20 pages names 1,000 members, whose pages are empty and link back."""
    if exchange.name == "members":
        number = int(exchange.arg("0"))
        shown = range(number * 50, number * 50 + 50)
        onward = [f"/members/{number + 1}"] if number < 19 else []
        say(exchange, links(*(f"/{word(n)}" for n in shown), *onward))
    elif exchange.name:
        say(exchange, f"<h1>{exchange.name}</h1>No posts yet", links("/", "/members/0"))
    else:
        say(exchange, "<h1>Welcome</h1>", links("/members/0"))


def languages(exchange: Exchange) -> None:
    """Thirty topics under forty languages, not translated, all linked to each other."""
    topic = int(exchange.arg("0"))
    language = exchange.name or word(0)
    here = [f"/{language}/{n}" for n in range(TOPICS)]
    say(exchange, f"<p>{sentence(topic, 'languages')}",
        links(*here, *(f"/{word(n)}/{topic}" for n in range(LANGUAGES))))  # fmt: skip


def russian(exchange: Exchange) -> None:
    """An encyclopedia in another script."""
    number = NUMBER_OF[exchange.name] if exchange.name else 0
    nearby = [2 * number + 1, 2 * number + 2]
    text = sentence(number, "russian").translate({97 + n: 0x430 + n for n in range(26)})
    say(exchange, f"<meta charset=utf-8><p>{text}",
        links(*(f"/{word(n)}" for n in nearby if n < ENTRIES)))  # fmt: skip


REAL_SITES = {
    "encyclopedia": (encyclopedia, r"/(\w*)$", ARTICLES),
    "stubs": (stubs, r"/(\w*)/?$", ENTRIES),
    "members": (members, r"/(\w*)$", MEMBERS),
    "languages": (languages, r"/(\w+/\d+)$", LANGUAGES * TOPICS),
    "russian": (russian, r"/(\w*)$", ENTRIES),
}
"""Handler, pattern of the pages that are worth a request, and how many there are.

The home page does not count.
"""
