"""What a field case is: a site of a few responses, and what a crawl of it must do.

A response is a `Reply`, which gets a correct Content-Length, or bytes, which are sent
as they are before the connection is closed. In both, PORT stands for the port of the
site. A tuple of responses answers one request with each, and all later ones with the
last.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from crawler.cli import run
from tests.helpers.crawling import png
from tests.site.server import Exchange, Handler, Site

PORT = b"@PORT@"
Records = list[dict[str, Any]]

UNMENDED: frozenset[str] = frozenset()
"""Cases that fail today. A case that passes must be taken out: its xfail is strict."""


class Reply(NamedTuple):
    """A well-formed response."""

    body: bytes = b""
    content_type: str | None = "text/html; charset=utf-8"
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    gzipped: bool = False

    def render(self, port: bytes) -> bytes:
        body = self.body.replace(PORT, port)
        if self.gzipped:
            body = gzip.compress(body)
        lines = [f"HTTP/1.1 {self.status}", f"Content-Length: {len(body)}"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        head = "\r\n".join([*lines, *self.headers, "", ""]).encode("latin-1")
        return head.replace(PORT, port) + body


class Hanging(NamedTuple):
    """Bytes that are sent as they are; the connection then stays open."""

    data: bytes


Response = Reply | Hanging | bytes
Route = Response | tuple[Response, ...]


class Case(NamedTuple):
    """A site, by request target, and what a crawl of its `seed` must do.

    A target of another host than `ID.field.test` is written `//HOST/PATH`. The target
    `*` stands for all others. `wanted` targets must be requested, `refused` ones must
    not, and `holds` must be true for the records.
    """

    id: str
    report: str
    about: str
    routes: Mapping[str, Route]
    wanted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    holds: Callable[[Records], object] = lambda _records: True
    options: tuple[str, ...] = ()
    seed: str = "/"


NOT_FOUND = Reply(b"<title>none</title>not here", status="404 Not Found")
NO_ROBOTS = Reply(b"", status="404 Not Found")
OK = Reply(b"<!doctype html><title>T</title>fine")


def html(body: str | bytes, content_type: str | None = "text/html") -> Reply:
    """A page as it stands, by default of undeclared charset."""
    return Reply(body.encode() if isinstance(body, str) else body, content_type)


def page(body: str) -> Reply:
    """A page whose charset is declared."""
    return Reply(f"<!doctype html><title>T</title><body>{body}".encode())


def links(*targets: str) -> Reply:
    return page("".join(f'<a href="{target}">x</a>' for target in targets))


def redirect(location: str) -> Reply:
    headers = (f"Location: {location}",)
    return Reply(content_type=None, status="302 Found", headers=headers)


def robots(text: str) -> Reply:
    return Reply(text.encode(), "text/plain")


PICTURE = png(40, 30)
IMAGE = Reply(PICTURE, "image/png")


def parameters(cases: Sequence[Case]) -> list[Any]:
    """One pytest parameter a case; those of UNMENDED must fail."""
    return [pytest.param(case, id=case.id, marks=unmended(case.id)) for case in cases]


def unmended(case_id: str) -> tuple[pytest.MarkDecorator, ...]:
    """The mark of a case that fails today, if it is one."""
    if case_id not in UNMENDED:
        return ()
    return (pytest.mark.xfail(reason="not mended yet", strict=True),)


def faults(case: Case, folder: Path) -> list[str]:
    """What a crawl of the site of `case`, as a user starts it, does wrong."""
    hosts = _Hosts(case)
    site = Site(hosts)
    try:
        hosts.port = str(site.port).encode()
        code = crawl(site, f"http://{hosts.name}:{site.port}{case.seed}", folder, case)
    finally:
        site.stop()
    requested, found = hosts.requested, records(folder)
    return [
        *(
            f"{target} not requested"
            for target in case.wanted
            if target not in requested
        ),
        *(f"{target} requested" for target in case.refused if target in requested),
        *([] if case.holds(found) else [f"wrong records: {found}"]),
        *(["internal error"] if code == 1 else []),
    ]


def crawl(site: Site, url: str, folder: Path, case: Case | None = None) -> int:
    """The exit code of a crawl from `url`, all of whose hosts are `site`."""
    options = f"""
        -w 0 --per-host 4 -t 2 -T 8 --read-timeout 2 -n 60 -s retry.backoff=0.05
        --resolve *:{site.port}:127.0.0.1 --allow-net 127.0.0.0/8
        --record skips,robots -q"""
    more = case.options if case else ()
    return run(["crawl", url, "-d", str(folder), *options.split(), *more])


def records(folder: Path) -> Records:
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def titles(found: Records) -> set[str]:
    return {record["title"] for record in found if record["type"] == "page"}


class _Hosts(Mapping[str, Handler]):
    """The hosts of a case: every page of the site has the same handler."""

    def __init__(self, case: Case) -> None:
        self.name = f"{case.id}.field.test"
        self.port = b""
        self.requested: list[str] = []
        self._routes = {"/robots.txt": NO_ROBOTS, **case.routes}

    def __getitem__(self, _page: str) -> Handler:
        return self._answer

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _answer(self, exchange: Exchange) -> None:
        host = urlsplit(f"//{exchange.hit.host}").hostname
        start = "" if host == self.name else f"//{host}"
        target = start + exchange.hit.target
        route = self._route(target, f"{start}*")
        if isinstance(route, tuple) and not isinstance(route, Reply | Hanging):
            route = route[min(self.requested.count(target), len(route) - 1)]
        self.requested.append(target)
        if isinstance(route, bytes):
            exchange.raw(route.replace(PORT, self.port))
            exchange.close()
        elif isinstance(route, Hanging):
            exchange.raw(route.data.replace(PORT, self.port))
        else:
            exchange.raw(route.render(self.port))

    def _route(self, target: str, otherwise: str) -> Any:
        for key in (target, target.partition("?")[0], otherwise):
            if key in self._routes:
                return self._routes[key]
        return NOT_FOUND
