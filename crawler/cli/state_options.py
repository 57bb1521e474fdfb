"""The filters that the commands about a crawl's URLs share."""

from __future__ import annotations

import shlex
from typing import get_args

import click

from crawler.cli.flags import similar
from crawler.frontier.store import STATES
from crawler.frontier.throttle import REFUSALS
from crawler.model.reasons import ErrorCode, SkipReason
from crawler.model.units import counted, is_or_are


class WordList(click.ParamType[tuple[str, ...]]):
    """A list of words, separated by commas."""

    name = "LIST"

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self._allowed = allowed

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        words = tuple(word.strip() for word in value.split(",") if word.strip())
        for word in words:
            if self._allowed and word not in self._allowed:
                self.fail(f"{word!r} is not one of {self._hint(word)}", param, ctx)
        return words

    def _hint(self, word: str) -> str:
        return ", ".join(self._allowed) + similar(word, self._allowed)


class Codes(WordList):
    """Codes of errors and skips; for a status the message names its code."""

    def _hint(self, word: str) -> str:
        if len(word) == 3 and word.isdecimal():
            known = f"status_{word[0]}xx"
            code = known if known in self._allowed else "status_other"
            code = REFUSALS.get(int(word), code)
            return f"the codes; did you mean {code!r}? Answers of {word} have it"
        return super()._hint(word)


def unique_words(lists: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The words of a repeated option, each once."""
    return tuple(dict.fromkeys(word for words in lists for word in words))


def unfinished(folder: str, left: int) -> str:
    """What is said of a crawl that has `left` URLs to fetch; "" if it has none."""
    if not left:
        return ""
    return (
        f"the crawl is unfinished: {counted(left, 'URL')} {is_or_are(left)} left "
        f"(orbweb status {shlex.quote(folder)})"
    )


CODES = (*get_args(ErrorCode), *get_args(SkipReason), "new", "changed", "unchanged")
"""What --code takes."""

host_option = click.option(
    "--host",
    "hosts",
    type=WordList(),
    multiple=True,
    help="Only these hosts; repeatable",
)
code_option = click.option(
    "--code", "reasons", type=Codes(CODES), multiple=True,
    help="Only this error_code, skip reason, or new, changed, unchanged; repeatable",
)  # fmt: skip
state_option = click.option(
    "--state",
    "states",
    type=WordList(tuple(state for state in STATES if state != "leased")),
    multiple=True,
    help="Only queued, page, file, image, redirect, error, skip; repeatable",
)
