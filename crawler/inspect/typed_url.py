"""A URL as a person types it, looked up among those that the crawl knows.

It may lack the scheme, the host or the slash at its end, have a fragment or parameters
that links lose, and a host in upper case or in its own script. The first form that the
crawl knows is the one that is meant: as it was typed, then with or without a slash at
the end, with https before http. Every command that asks about one URL of a crawl takes
it so.
"""

from __future__ import annotations

from itertools import product

from msgspec import Struct

from crawler.frontier.state_reader import StateReader, UrlRow
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.redact import without_userinfo
from crawler.model.seed import parse_seed
from crawler.model.url import canonical, host_key, origin, scheme
from crawler.policy.strip_params import ParamStripper

_MARKS = ".:/["
"""A word without any of them is a host only if the crawl knows it (`localhost`)."""


class TypedUrl(Struct, frozen=True):
    """What a typed word means."""

    url: str
    """The URL, in canonical form."""
    row: UrlRow | None
    """What the state has of it; None: the crawl does not know it."""
    forms: tuple[str, ...]
    """All that may be meant, the likeliest first."""


def find_typed(
    state: StateReader, config: Config, word: str, option: str = ""
) -> TypedUrl:
    """The URL that `word` means. Raises UsageError, which names `option`, if none.

    A path is one of the host of the seeds, if all of them have the same.
    """
    typed = typed_forms(_with_host(config, word, option), option)
    stripped = tuple(map(ParamStripper(config.scope.strip_params).stripped, typed))
    forms = tuple(dict.fromkeys((*typed, *stripped)))
    for form in forms:
        if (row := state.url(form)) is not None:
            return TypedUrl(row.url, row, forms)
    if not any(mark in word for mark in _MARKS):
        raise _no_url(word, option)
    schemes = _known_schemes(state, config, typed[0])
    likely = (one for one in stripped if scheme(one) in schemes)
    return TypedUrl(next(likely, stripped[0]), None, forms)


def typed_forms(word: str, option: str = "") -> tuple[str, ...]:
    """All URLs that `word` may mean, the likeliest first. Raises UsageError."""
    word = word.strip()
    if "://" in word:
        url = canonical(word)
    else:
        try:
            url = parse_seed(word).url
        except UsageError as error:
            raise UsageError(f"{option} {error}".strip()) from error
    if url is None:
        raise _no_url(word, option)
    rest = url.partition("://")[2]
    schemes = (scheme(url),) if "://" in word else ("https", "http")
    both = product(_with_and_without_slash(rest), schemes)
    forms = [canonical(f"{one}://{rest}") for rest, one in both]
    return tuple(dict.fromkeys(form for form in forms if form))


def _with_host(config: Config, word: str, option: str) -> str:
    origins = sorted({origin(parse_seed(one).url) for one in config.seeds})
    if not word.startswith("/") or word.startswith("//") or not origins:
        return word
    if len(origins) > 1:
        raise UsageError(
            f"{option} {word} is a path, and the crawl has several hosts: write the "
            f"URL, such as {origins[0]}{word}".strip()
        )
    return origins[0] + word


def _with_and_without_slash(rest: str) -> tuple[str, str]:
    path, mark, query = rest.partition("?")
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    return rest, f"{other}{mark}{query}"


def _known_schemes(state: StateReader, config: Config, url: str) -> set[str]:
    """The schemes under which the crawl knows the host of `url`."""
    host = url.split("/", 3)[2]
    known = {one for one in ("https", "http") if state.url(f"{one}://{host}/")}
    key = host_key(url)
    return known or {scheme(seed) for seed in config.seeds if host_key(seed) == key}


def _no_url(word: str, option: str) -> UsageError:
    shown = without_userinfo("location", word)[:200]
    return UsageError(
        f"{option} {shown}: not a URL; write one such as https://example.com/".strip()
    )
