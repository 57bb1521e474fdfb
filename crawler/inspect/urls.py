"""The URLs of a crawl, by state, host and code."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.frontier.state_reader import StateReader, UrlRow
from crawler.frontier.store import State
from crawler.model.errors import UsageError
from crawler.model.url import canonical, host_key


def list_urls(
    state: StateReader,
    states: tuple[State, ...],
    hosts: tuple[str, ...],
    reasons: tuple[str, ...],
) -> Iterator[UrlRow]:
    """The URLs that fit, in order of discovery; an empty filter lets all pass.

    `hosts` are names as a user writes them (`host_keys`). Reads all URLs.
    """
    return state.urls(states, host_keys(hosts), reasons)


def host_keys(words: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of hosts in the state: `Example.COM:443` is `example.com`.

    Raises UsageError for a word that is not a host.
    """
    return tuple(map(_host_key, words))


def _host_key(word: str) -> str:
    url = canonical(word if "://" in word else f"http://{word}/")
    if url is None:
        raise UsageError(
            f"--host {word}: not a host; write example.com or example.com:8080"
        )
    return host_key(url)
