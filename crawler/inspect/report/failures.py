"""What failed, by cause, and where redirects lead: counts with examples."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from msgspec import Struct, field

from crawler.inspect.report.markup import clip
from crawler.inspect.report.rows import Row

MAX_EXAMPLES = 50
"""URLs that are listed of one group: the first ones."""
MAX_CAUSES = 60
"""Pairs of a code and a status; further ones count by their code alone."""
MAX_HOSTS = 1_000
"""Hosts that are counted of one group."""
MAX_LENGTH = 1_000
"""Characters of a URL or message that are kept."""

EXPLAINED = {
    "dns_nxdomain": "The host has no address: there is no such name.",
    "dns_timeout": "The name server did not answer in time.",
    "dns_servfail": "The name server failed.",
    "connect_refused": "No program listens on the port of the server.",
    "connect_timeout": "The server did not accept the connection in time.",
    "connect_unreachable": "No route leads to the server.",
    "blocked_address": "The address is one of a private network, which a page of the "
    "public web may not name; or the port is not one of the web.",
    "tls_verify": "The certificate of the server is not valid.",
    "tls_handshake": "The TLS handshake failed.",
    "proxy": "The proxy failed or refused the request.",
    "read_timeout": "The server sent nothing for too long.",
    "total_timeout": "The answer was not complete in time.",
    "reset": "The server closed the connection before the answer was complete.",
    "protocol": "The answer is no valid HTTP.",
    "too_many_redirects": "The chain of redirects is too long.",
    "redirect_loop": "The redirects lead back to where they began.",
    "decode": "The body is not what its Content-Encoding says.",
    "too_large": "The body is larger than the limit.",
    "parse": "The body could not be read as what it is said to be.",
    "extract": "The extraction of the body failed or exceeded a limit.",
    "image_decode": "The body is no picture, or a damaged one.",
    "status_4xx": "The server says that the request is wrong.",
    "status_5xx": "The server says that it failed.",
    "status_other": "The status of the answer is not one of HTTP.",
    "rate_limited": "The server asked for fewer requests.",
    "host_parked": "The host failed too often and was left alone.",
}
"""Every `error_code` in a sentence."""


class Example(Struct, frozen=True):
    url: str
    other: str
    """The page where a URL that failed was found, or the target of a redirect."""
    note: str = ""


class Group(Struct):
    """What has one cause."""

    count: int = 0
    hosts: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def add(self, host: str, example: Example) -> None:
        self.count += 1
        if host in self.hosts or len(self.hosts) < MAX_HOSTS:
            self.hosts[host] += 1
        if len(self.examples) < MAX_EXAMPLES and len(example.url) <= MAX_LENGTH:
            self.examples.append(example)


Cause = tuple[str, int | None]
"""An `error_code`, and the status of the answer if there was one."""


class Failures:
    """The failures by cause."""

    def __init__(self) -> None:
        self.groups: dict[Cause, Group] = {}

    def add(self, row: Row) -> None:
        cause: Cause = row.error_code, row.status
        if cause not in self.groups and len(self.groups) >= MAX_CAUSES:
            cause = row.error_code, None
        group = self.groups.setdefault(cause, Group())
        found_on = clip(row.parent_url or "", MAX_LENGTH)
        message = clip(row.error_message, MAX_LENGTH)
        group.add(row.host, Example(row.url, found_on, message))

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups.values())


class Redirects:
    """The redirects by what they change."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.statuses: Counter[int] = Counter()

    def add(self, row: Row) -> None:
        self.statuses[row.status or 0] += 1
        group = self.groups.setdefault(change(row.url, row.location), Group())
        target = clip(row.location, MAX_LENGTH)
        group.add(row.host, Example(row.url, target, str(row.status or "")))

    @property
    def count(self) -> int:
        return self.statuses.total()


def change(url: str, target: str) -> str:
    """What a redirect changes, in words."""
    try:
        ours, theirs = urlsplit(url), urlsplit(target)
    except ValueError:
        return "another URL"
    if theirs.scheme not in ("http", "https"):
        return "to another scheme"
    if _bare(ours.netloc) != _bare(theirs.netloc):
        return "to another host"
    if ours.netloc != theirs.netloc:
        return "with or without www"
    if ours.path != theirs.path:
        is_slash = ours.path.rstrip("/") == theirs.path.rstrip("/")
        return "a slash at the end" if is_slash else "to another path"
    if ours.scheme != theirs.scheme:
        return f"from {ours.scheme} to {theirs.scheme}"
    return "to another query"


def _bare(host: str) -> str:
    return host.removeprefix("www.")
