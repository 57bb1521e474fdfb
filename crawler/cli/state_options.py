"""What the commands that read a crawl's state share: opening it, and their filters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from crawler.frontier.sqlite.lookup import Lookup, lookup
from crawler.frontier.store import STATES
from crawler.model.config import Config, from_json
from crawler.model.errors import UsageError
from crawler.model.url import canonical, host_key

STATE = "state"


@contextmanager
def open_state(folder: Path) -> Iterator[tuple[Lookup, Config]]:
    """The state and the configuration of the crawl in `folder`.

    Raises UsageError if there is none.
    """
    run = None
    if (folder / STATE).is_dir():
        with lookup(folder / STATE) as state:
            run = state.run()
            if run is not None:
                yield state, from_json(run.config.encode())
                return
    raise UsageError(f"{folder} holds no crawl; start one with `orbweb crawl URL`")


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
                self.fail(
                    f"{word!r} is not one of {', '.join(self._allowed)}", param, ctx
                )
        return words


def unique_words(lists: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The words of a repeated option, each once."""
    return tuple(dict.fromkeys(word for words in lists for word in words))


def host_keys(lists: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The keys of hosts in the state: `Example.COM:443` is `example.com`."""
    return tuple(map(_host_of, unique_words(lists)))


def _host_of(word: str) -> str:
    url = canonical(word if "://" in word else f"http://{word}/")
    if url is None:
        raise UsageError(
            f"--host {word}: not a host; write example.com or example.com:8080"
        )
    return host_key(url)


host_option = click.option(
    "--host",
    "hosts",
    type=WordList(),
    multiple=True,
    help="Only these hosts; repeatable",
)
code_option = click.option(
    "--code", "codes", type=WordList(), multiple=True,
    help="Only this error_code, skip reason, or new, changed, unchanged; repeatable",
)  # fmt: skip
state_option = click.option(
    "--state", "states", multiple=True,
    type=WordList(tuple(state for state in STATES if state != "leased")),
    help="Only queued, page, file, image, redirect, error, skip; repeatable",
)  # fmt: skip
