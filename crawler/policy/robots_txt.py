"""robots.txt: the rules of a site for crawlers (Robots Exclusion Protocol, RFC 9309).

Why no parser library: of Google's 140 published cases Protego fails 12, nine of them by
taking the wrong group (it misses rules for this crawler), and the standard library
fails 54. robotspy fails 4, the same that this parser fails, but it decodes all
percent-encoding (`/a%2Fb` is `/a/b` to it), ignores Crawl-delay and has six releases in
five years. None tells the line that decided. The protocol is small.

How a rule is found: the groups whose product token is the crawler's, ignoring case,
count together; if there are none, those for `*`. The longest of their patterns that
matches decides, Allow before Disallow. Invalid lines are ignored and end no group.

Crawl-delay is no part of the standard, so it ends no group either (section 2.2.4). But
it is for the user agents that are named just before it, and not for those named after
it: `User-agent: *`, `Crawl-delay: 0`, `User-agent: Slurp`, `Crawl-delay: 20` asks
nothing of others than Slurp. Of several for one group the first valid one counts
(crawler-commons #430, Bing and Yandex read it so).

How a pattern is matched: it is cut at its wildcards, and its pieces are searched for
one after the other, each from where the last one ended. Taking the first place is
always right, so the time is that of one pass over the URL. Both sides are brought to
one form first: unreserved characters bare, all others percent-encoded in upper case
(RFC 9309 section 2.2.2); `*` and `$` that are meant literally too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple
from urllib.parse import quote

from msgspec import Struct

from crawler.model.url import canonical, join

MAX_BYTES = 500 * 1024
"""The maximum size (bytes) of a robots.txt; the rest is ignored.

RFC 9309 section 2.5 demands at least this much.
"""
_MAX_LINE = 16_664
"""The maximum length (characters) of a line.

This is Google's limit, eight times its longest URL.
"""
_MAX_SITEMAPS = 1000

# Keys as they are written, and misspelt (Google's list).
_KEYS = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "user-agent"),
    "allow": "allow",
    **dict.fromkeys(
        ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"),
        "disallow",
    ),
    "crawl-delay": "crawl-delay",
    **dict.fromkeys(("sitemap", "site-map"), "sitemap"),
}


class Rule(NamedTuple):
    """`Allow` or `Disallow` with its pattern, cut at the wildcards."""

    allow: bool
    longest: str
    """The longest literal piece of the pattern.

    A URL without it does not match, which is quick to see.
    """
    pieces: tuple[str, ...]
    anchored: bool
    """The last piece has to end the URL."""
    length: int
    line: int
    written: str

    def matches(self, path: str) -> bool:
        """Whether the pattern matches `path`: a URL's path and query, normalised."""
        first, *further = self.pieces
        if not path.startswith(first):
            return False
        position = len(first)
        last = further.pop() if further and self.anchored else None
        for piece in further:
            position = path.find(piece, position)
            if position < 0:
                return False
            position += len(piece)
        if last is None:
            return not self.anchored or position == len(path)
        return path.endswith(last) and len(path) - len(last) >= position

    def __str__(self) -> str:
        key = "Allow" if self.allow else "Disallow"
        return f"robots.txt:{self.line} {key}: {self.written[:500]}"


class Robots(Struct, frozen=True):
    """What one robots.txt says to one crawler."""

    rules: tuple[Rule, ...]
    """The rules in order of precedence: longest first, then Allow before Disallow.

    The first that matches decides.
    """
    agent_matched: str | None
    """The product token whose groups apply, as written, or "*"; else None."""
    crawl_delay: float | None
    """Seconds between two requests."""
    sitemaps: tuple[str, ...]
    """Canonical URLs, for all crawlers."""

    @property
    def rules_count(self) -> int:
        """Rules that apply to the crawler."""
        return len(self.rules)

    def allowed(self, url: str) -> tuple[bool, str]:
        """Whether the canonical `url` may be fetched, and the rule that says so."""
        if not self.rules:
            return True, "robots.txt: no rule matches"
        path = (
            _common_form("/" + url.split("/", 3)[3])
            .replace("*", "%2A")
            .replace("$", "%24")
        )
        if path != "/robots.txt":
            for rule in self.rules:
                if rule.longest in path and rule.matches(path):
                    return rule.allow, str(rule)
        return True, "robots.txt: no rule matches"


class _Group(Struct):
    """What the groups of one product token say together."""

    agent: str | None = None
    rules: list[Rule] = []
    crawl_delay: float | None = None


def whole_lines(body: bytes) -> bytes:
    """A body that was truncated, up to the end of its last whole line.

    What is left of `Disallow: /x` may be `Disallow: /`, which forbids everything.
    """
    return body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]


def parse(body: bytes, agent: str, site: str = "") -> Robots:
    """What the robots.txt `body` says to the crawler with the product token `agent`.

    `site` is its origin. A sitemap must be named by a whole URL (sitemaps.org), but
    some are relative to that; without `site` these are ignored.
    """
    ours, all_others = _Group(), _Group()
    sitemaps: dict[str, None] = {}
    listening: list[_Group] = []
    delayed: list[_Group] = []  # the groups that a Crawl-delay is for
    naming = naming_delayed = False
    for number, key, value in _lines(body):
        if key == "user-agent":
            listening = listening if naming else []
            delayed = delayed if naming_delayed else []
            naming = naming_delayed = True
            group = _group_of(value, agent, ours, all_others)
            if group is not None:
                listening.append(group)
                delayed.append(group)
        elif key == "sitemap":
            url = canonical(value)
            if url is None and site and value:
                url = join(f"{site}/", value)
            if url and len(sitemaps) < _MAX_SITEMAPS:
                sitemaps[url] = None
        elif key == "crawl-delay":
            naming_delayed = False
            for group in delayed:
                if group.crawl_delay is None:
                    group.crawl_delay = _seconds(value)
        else:
            naming = naming_delayed = False
            for group in listening:
                if value:
                    group.rules.append(_rule(key == "allow", value, number))
    return _robots(ours if ours.agent else all_others, tuple(sitemaps))


def _robots(group: _Group, sitemaps: tuple[str, ...]) -> Robots:
    rules = sorted(group.rules, key=lambda rule: (-rule.length, not rule.allow))
    return Robots(tuple(rules), group.agent, group.crawl_delay, sitemaps)


_TOKEN = re.compile(r"[a-zA-Z_-]*").match


def _group_of(
    value: str, agent: str, ours: _Group, all_others: _Group
) -> _Group | None:
    """The group of `User-agent: value` if it may apply to the crawler, named."""
    token = _TOKEN(value)
    name = token[0] if token else ""
    if name and name.lower() == agent.lower():
        ours.agent = ours.agent or name
        return ours
    if value == "*" or value.startswith(("* ", "*\t")):
        all_others.agent = "*"
        return all_others
    return None


_LINE_END = re.compile(r"\r\n|\r|\n")


def _lines(body: bytes) -> Iterator[tuple[int, str, str]]:
    """Number, known key and value of each line that has them."""
    if len(body) > MAX_BYTES:
        body = whole_lines(body[:MAX_BYTES])
    # A byte order mark, or a part of one, is dropped, as Google does.
    text = body.lstrip(b"\xef\xbb\xbf").decode("utf-8", "replace")
    for number, line in enumerate(_LINE_END.split(text), 1):
        line = line[:_MAX_LINE].partition("#")[0].strip()
        key, colon, value = line.partition(":")
        if not colon:  # "Disallow /x": two words without the colon
            key, _, value = line.partition(" ")
            if len(value.split()) != 1:
                continue
        known = _KEYS.get(key.strip().lower())
        if known:
            yield number, known, value.strip()


def _rule(allow: bool, value: str, line: int) -> Rule:
    anchored = value.endswith("$")
    pattern = _common_form(value[:-1] if anchored else value).replace("$", "%24")
    pieces = tuple(re.split(r"\*+", pattern))
    longest = max(pieces, key=len)
    return Rule(allow, longest, pieces, anchored, len(pattern) + anchored, line, value)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]").fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9._~/?=&+:@!'(),;*$-]*").fullmatch


def _common_form(path: str) -> str:
    """Percent-encoding made comparable; `*` and `$` are left alone."""
    if _PLAIN(path):
        return path
    return _ESCAPE.sub(_decoded_if_unreserved, quote(path, safe="/?=&+:@!'(),;*$%[]"))


def _decoded_if_unreserved(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if _UNRESERVED(char) else found[0].upper()
