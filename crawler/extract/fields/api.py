"""`[[api]]`: what an answer of a JSON API lists, and which URL the next answer has.

Everything that is known of an answer is its URL and its body: the number of a page
stands in the URL, a cursor or a `next` link in the body. So nothing has to be kept
between two answers, and a crawl that is killed goes on at the answer where it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from crawler.extract.fields import sources
from crawler.extract.fields.errors import RuleError
from crawler.extract.fields.rule import Rule
from crawler.extract.fields.subject import Subject
from crawler.model.content_config import ApiConfig, FieldConfig
from crawler.model.errors import UsageError
from crawler.model.seed import parse_seed

PLACES = ("page", "offset", "cursor")
_PLACE = re.compile(r"\{(\w*)\}")
_MARK = "0rbweb{}0"
"""In place of a number, while the rest of the URL becomes canonical: `0rbwebpage0`."""
_MAX_DIGITS = 18
"""A number of a URL that is longer is none of ours."""


class Api:
    """A compiled `[[api]]`. Raises RuleError."""

    def __init__(self, config: ApiConfig, rules: Sequence[Rule]) -> None:
        self.max_requests = config.max_requests
        self.rules = rules
        self.find_items = sources.items(config.items)
        self._place = _place_of(config)
        self._config = config
        self.first_url = _url(config, self._start)
        self._template = _url(config, _MARK.format(self._place))
        self._is_ours = _pattern(self._template, self._place, self.first_url)
        self._images = _selector("image", config.image, "url")
        self._links = _selector("link", config.link, "url")
        self._alt = _selector("alt", config.alt, "str")
        self._next = _selector("next", config.next, "url")
        self._cursor = _selector("cursor", config.cursor, "str")

    @property
    def _start(self) -> str | None:
        if self._place == "cursor":
            return None
        start = self._config.start
        return str(int(self._place == "page") if start is None else start)

    def matches(self, url: str) -> bool:
        """Whether `url` is that of an answer."""
        return self._is_ours(_without_scheme(url)) is not None

    def images(self, item: Subject) -> list[str]:
        """The URLs of the pictures of an item."""
        return _values(self._images, item)

    def links(self, item: Subject) -> list[str]:
        """The URLs of the pages of an item."""
        return _values(self._links, item)

    def alt(self, item: Subject) -> str | None:
        """The alternative text of the pictures of an item."""
        return next(iter(_values(self._alt, item)), None)

    def next_url(self, url: str, answer: Subject, items: int) -> str | None:
        """The URL of the answer after that of `url`, which has so many items.

        None: it was the last.
        """
        if self._next is not None:
            return next(iter(_values(self._next, answer)), None)
        if self._cursor is not None:
            cursor = next(iter(_values(self._cursor, answer)), None)
            return None if not cursor else self._filled(quote(cursor, safe=""))
        found = self._is_ours(_without_scheme(url))
        if not items or not self._place or found is None:
            return None
        step = self._config.step or (1 if self._place == "page" else items)
        return self._filled(str(int(found[1]) + step))

    def _filled(self, value: str) -> str:
        return self._template.replace(_MARK.format(self._place), value)


def _place_of(config: ApiConfig) -> str:
    """What changes from URL to URL: "page", "offset", "cursor", or "" for nothing."""
    texts = [config.url, *(str(value) for value in config.params.values())]
    places = [name for text in texts for name in _PLACE.findall(text)]
    for name in places:
        if name not in PLACES:
            known = ", ".join(f"{{{one}}}" for one in PLACES)
            raise RuleError(f"url: there is no {{{name}}}: write one of {known}")
    if len(places) > 1:
        raise RuleError("url: only one of {page}, {offset} and {cursor} can change")
    place = places[0] if places else ""
    if "{cursor}" in config.url:
        raise RuleError('url: write {cursor} in params, as in { after = "{cursor}" }')
    if (place == "cursor") != bool(config.cursor):
        raise RuleError("cursor: the selector and {cursor} in params need each other")
    if config.next and place == "cursor":
        raise RuleError("next: there is a cursor already; write one of them")
    if place not in ("page", "offset") and not (config.start is config.step is None):
        raise RuleError("start, step: write {page} or {offset} in url or params")
    return place


def _url(config: ApiConfig, value: str | None) -> str:
    """The canonical URL of an answer; without `value`, without what it stands for."""
    params = {
        key: _PLACE.sub(value or "", str(text))
        for key, text in config.params.items()
        if value is not None or not _PLACE.search(str(text))
    }
    text = _PLACE.sub(value or "", config.url)
    if params:
        text += ("&" if "?" in text else "?") + urlencode(params, quote_via=quote)
    try:
        return parse_seed(text).url
    except UsageError as error:
        raise RuleError(f"url: {error}") from error


def _pattern(template: str, place: str, first: str) -> Any:
    """What finds the number in the URL of an answer, and matches no other URL."""
    mark = _MARK.format(place)
    if place and template.count(mark) != 1:
        raise RuleError(f"url: {{{place}}} has to stand in the path or in the query")
    value = "([^&#]*)" if place == "cursor" else rf"(\d{{1,{_MAX_DIGITS}}})"
    pattern = re.escape(_without_scheme(template)).replace(re.escape(mark), value)
    if place in ("page", "offset"):
        return re.compile(pattern).fullmatch
    # The next link of an API leads to the same path, with another query.
    path = re.escape(_without_scheme(first).partition("?")[0])
    return re.compile(rf"{path}(?:\?.*)?").fullmatch


def _without_scheme(url: str) -> str:
    """A redirect to https is the same answer."""
    return url.partition("://")[2]


def _selector(name: str, select: str, kind: Any) -> Rule | None:
    if not select:
        return None
    try:
        return Rule(name, FieldConfig(select, kind, many=True))
    except RuleError as error:
        raise RuleError(f"{name}: {error}") from error


def _values(rule: Rule | None, subject: Subject) -> list[Any]:
    return [] if rule is None else rule.values(subject)
