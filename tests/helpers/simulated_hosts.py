"""A simulated web: hosts that answer in virtual time and log their requests.

Everything above the HTTP client is the real crawl. A `World` takes the client's place:
its `fetch` sleeps as long as the host would take, and fails as the host would fail.
What a host saw is in its `log`, and `breaches` reads it against the rules, by code of
its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

import hub
from crawler.engine.builder import Summary, open_crawl
from crawler.frontier.memory import MemoryStore
from crawler.frontier.store import Store
from crawler.model.config import Config
from crawler.model.errors import (
    ConnectRefused,
    ConnectTimeout,
    Failure,
    NameNotFound,
    NameServerFailure,
)
from crawler.model.http import OpenSpool, Request, Response, Timings
from crawler.model.policy_config import PolitenessConfig
from crawler.model.record_base import Record
from crawler.model.url import host_key
from crawler.workspace.open import Mode, stored_config

START = 1_800_000_000.0
ONE_A_SECOND = PolitenessConfig(per_host=1, wait=1.0)
CONNECT_TIMEOUT_S = 10.0
Answer = tuple[int, bytes, tuple[tuple[str, str], ...]]
"""Status, body, further headers."""

_WORDS = str.maketrans("0123456789", "abcdefghij")

DEATHS: dict[str, tuple[type[Failure], float]] = {
    "refused": (ConnectRefused, 0.001),
    "silent": (ConnectTimeout, CONNECT_TIMEOUT_S),
    "nxdomain": (NameNotFound, 0.02),
    "servfail": (NameServerFailure, 0.5),
}


class Seen(msgspec.Struct):
    """One request: its start, its end, and the status of the answer (0: none).

    `turn` and `over_turn` tell what came first at one moment.
    """

    at: float
    turn: int
    path: str
    over: float = float("inf")
    over_turn: int = 1 << 60
    status: int = 0
    retry_after: float | None = None


class Host:
    """One host with pages /0 to /PAGES-1; /0 links to the others.

    Each of its properties can be made worse.
    """

    def __init__(self, name: str, pages: int = 1, latency: float = 0.05) -> None:
        self.name = name
        self.pages = pages
        self.latency = latency
        self.crawl_delay: float | None = None
        self.dead: str | None = None
        self.dead_from = 0.0
        self.recovers_at = float(
            "inf"
        )  # from then on a dead host, or robots.txt, is well
        self.robots_status = 200
        self.robots_retry_after: str | None = None
        self.robots_redirects = 0
        self.refusals: dict[int, tuple[int, str | None]] = {}
        """By number of the request: status, and Retry-After."""
        self.refuses_always: tuple[int, str | None] | None = None
        """The same for every page, from the first to the last."""
        self.links: list[str] = []
        """Further links of /0."""
        self.log: list[Seen] = []

    def is_dead(self, now: float) -> bool:
        return self.dead is not None and self.dead_from <= now < self.recovers_at

    @property
    def urls(self) -> list[str]:
        return [f"http://{self.name}/{n}" for n in range(self.pages)]

    def asked(self) -> list[float]:
        """When pages were requested, since START."""
        return [
            seen.at - START for seen in self.log if not seen.path.startswith("/robots")
        ]

    def answer(self, path: str, now: float) -> Answer:
        moved = f"/robots-{self.robots_redirects}"
        if path == "/robots.txt" and self.robots_redirects:
            return 301, b"", (("location", "/robots-1"),)
        if path.startswith("/robots-") and path != moved:
            return 301, b"", (("location", f"/robots-{int(path[8:]) + 1}"),)
        if path.startswith("/robots"):
            well = self.robots_status == 200 or now >= self.recovers_at
            delay = (
                "" if self.crawl_delay is None else f"Crawl-delay: {self.crawl_delay}\n"
            )
            text = f"User-agent: *\n{delay}Disallow: /private\n"
            after = self.robots_retry_after
            bad = (
                self.robots_status,
                b"",
                () if after is None else (("retry-after", after),),
            )
            return (200, text.encode(), ()) if well else bad
        refusal = self.refuses_always or self.refusals.get(len(self.log) - 1)
        if refusal is not None:
            status, after = refusal
            return status, b"", () if after is None else (("retry-after", after),)
        links = self.links + self.urls[1:] if path == "/0" else []
        # what is alike is a trap
        body = f"<title>x</title><p>{path.translate(_WORDS)}</p>"
        body += "".join(f'<a href="{url}">x</a>' for url in links)
        return 200, body.encode(), (("content-type", "text/html"),)


class World:
    """The hosts by name, in place of the HTTP client."""

    def __init__(self, clock: Callable[[], float], hosts: list[Host]) -> None:
        self.clock = clock
        self.hosts = {host.name: host for host in hosts}
        self._turns = count()
        self.rested: list[str] = []
        """Hosts to which no connection was to be kept."""

    def fetch(self, request: Request) -> Response:
        host = self.hosts[host_key(request.url)]
        path = "/" + request.url.split("/", 3)[3]
        seen = Seen(self.clock(), next(self._turns), path)
        host.log.append(seen)
        if host.is_dead(self.clock()):
            assert host.dead is not None
            kind, takes = DEATHS[host.dead]
            hub.sleep(takes)
            seen.over, seen.over_turn = self.clock(), next(self._turns)
            raise kind(f"{host.name} is dead: {host.dead}")
        status, body, headers = host.answer(path, self.clock())
        hub.sleep(host.latency)
        seen.over, seen.over_turn, seen.status = self.clock(), next(self._turns), status
        if headers and headers[0][0] == "retry-after" and headers[0][1].isdigit():
            seen.retry_after = float(headers[0][1])
        took_ms = round(host.latency * 1000)
        return Response(
            request.url, status, "", "1.1", headers, body, len(body),
            Timings(took_ms, ttfb_ms=took_ms), "192.0.2.1", True,
        )  # fmt: skip

    def close_idle(self, url: str) -> None:
        self.rested.append(host_key(url))

    def on_exchange(
        self, listener: object, *, transferred: bool | OpenSpool = False
    ) -> None:
        """No exchange of a simulated host is told."""

    def close(self) -> None:
        """Nothing to close."""


class Lines:
    """A sink that keeps the records."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, records: Sequence[Record]) -> None:
        self.records += [msgspec.to_builtins(record) for record in records]

    def flush(self) -> None:
        """It cannot rewind."""

    def close(self) -> None:
        """Nothing to let go of."""


def crawl(
    world: World, folder: Path, config: Config, store: Store | None = None
) -> tuple[Summary, list[dict[str, Any]]]:
    """Crawl all hosts from their /0 without a disk; return summary and records."""
    sink = Lines()
    seeds = tuple(host.urls[0] for host in world.hosts.values())
    config = msgspec.structs.replace(config, seeds=seeds, dir=str(folder))
    subject = open_crawl(
        config,
        mode="new",
        clock=world.clock,
        random=random.Random(0),
        memory=lambda: 0,
        client=world,
        store=store or MemoryStore(),
        sinks={"lines": lambda _position: sink},
    )
    return subject.run(), sink.records


def crawl_into(world: World, folder: Path, mode: Mode, **changes: Any) -> Summary:
    """Crawl all hosts of the world into a folder.

    A later mode goes on under the stored settings.
    """
    if mode == "new":
        seeds = tuple(host.urls[0] for host in world.hosts.values())
        config = Config(seeds=seeds, dir=str(folder), politeness=ONE_A_SECOND)
    else:
        config = stored_config(folder)
    config = msgspec.structs.replace(config, **changes)
    return open_crawl(config, mode=mode, clock=world.clock, client=world).run()


def breaches(host: Host, config: PolitenessConfig) -> list[str]:
    """The requests that came sooner, or more at once, than allowed."""
    found: list[str] = []
    for number, seen in enumerate(host.log):
        over = [one for one in host.log[:number] if one.over_turn < seen.turn]
        robots = any(
            one.path.startswith("/robots") and one.status == 200 for one in over
        )
        least = max(config.wait, (host.crawl_delay or 0.0) if robots else 0.0)
        if number and seen.at < host.log[number - 1].at + least - 1e-6:
            found.append(
                f"{host.name}{seen.path}: sooner than {least} s after the one before"
            )
        if number - len(over) >= config.per_host:
            found.append(f"{host.name}{seen.path}: too many at once")
        if seen.at < max(map(_until(config), over), default=0.0) - 1e-6:
            found.append(f"{host.name}{seen.path}: before its Retry-After")
        if not seen.path.startswith("/robots") and not robots:
            found.append(f"{host.name}{seen.path}: before its robots.txt")
        if (
            _in_a_row(over) >= config.park_after
            and seen.at < over[-1].over + config.park_time
        ):
            found.append(f"{host.name}{seen.path}: while it was parked")
    return found


def _until(config: PolitenessConfig) -> Callable[[Seen], float]:
    """Until when a reply forbids to ask again."""
    return lambda one: one.over + min(one.retry_after or 0.0, config.max_retry_after)


def _in_a_row(over: list[Seen]) -> int:
    """Failures since the last answer.

    Those that were under way together count once.
    """
    failures, since = 0, float("-inf")
    for one in over:
        failed = one.status == 0 or (
            one.path.startswith("/robots") and one.status in (429, 500, 503)
        )
        if not failed:
            failures = 0
        elif one.at >= since:
            failures, since = failures + 1, one.over
    return failures


def some_host(chance: random.Random, name: str) -> Host:
    """A host of a mixed crowd."""
    host = Host(name, chance.randrange(1, 6), chance.choice([0.01, 0.05, 0.3]))
    kind = chance.random()
    if kind < 0.1:
        host.dead = chance.choice(list(DEATHS))
        host.recovers_at = START + chance.choice([2.0, 1e9])
    elif kind < 0.2:
        host.latency = chance.choice([1.0, 3.0])
    elif kind < 0.3:
        host.robots_status = chance.choice([429, 500, 503])
        host.robots_retry_after = chance.choice([None, "4"])
        host.recovers_at = START + chance.choice([2.0, 1e9])
    elif kind < 0.5:
        for n in chance.sample(range(1, 8), chance.randrange(1, 4)):
            host.refusals[n] = chance.choice(
                [(429, None), (429, "3"), (503, "7"), (503, None)]
            )
    if chance.random() < 0.2:
        host.robots_redirects = chance.randrange(1, 4)
    if chance.random() < 0.3:
        host.crawl_delay = chance.choice([0.5, 2.0, 5.0])
    return host
