"""The shards of a crawl, all in this process and in one hub, and killed there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

import hub
from crawler.engine.builder import Crawl, Summary, open_crawl
from crawler.engine.shard_link import ShardLink, ShardParts
from crawler.fleet.carrier import LocalCarrier
from crawler.fleet.exchange import Exchange
from crawler.fleet.grants import SharedLimits
from crawler.fleet.shard_config import shard_config
from crawler.frontier.mail import Report, is_over
from crawler.frontier.sqlite.database import shard_folder
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile
from crawler.inspect.state import usage_of
from crawler.model.config import Config, to_json
from crawler.model.shards import Layout
from crawler.workspace.shards import run_id_of

RUN_ID = "0" * 26


class Killed(Exception):
    """Nothing becomes durable any more, as after a kill."""


class ShardCrawls:
    """Crawls `config` in `shards`. `given`: what else `open_crawl` gets."""

    def __init__(self, config: Config, shards: int, **given: Any) -> None:
        self.config = config
        self.shards = shards
        self.summaries: dict[int, Summary] = {}
        self.kills = 0
        self._given = given
        self._folder = Path(config.dir)
        self._file = FleetFile(self._folder)
        fleet = Fleet(RUN_ID, to_json(config).decode(), Layout(shards), 1)
        self._file.set_fleet(fleet)
        self._fleet = fleet
        self._crawls: dict[int, Crawl] = {}
        self._links: list[ShardLink] = []
        self._is_over = False

    def run(self, kill_every: Callable[[], float] | None = None) -> None:
        """Crawl to the end. `kill_every`: seconds until the next shard is killed."""
        with closing(LocalCarrier(self._folder, self.shards)) as carrier:
            keepers = [hub.spawn(self._keep, shard) for shard in range(self.shards)]
            exchange = Exchange(carrier, self._links, self._look, self._fail)
            others = [hub.spawn(exchange.run)]
            if kill_every is not None:
                others.append(hub.spawn(self._kill, kill_every))
            hub.joinall(keepers, raise_error=True)
            hub.killall(others)
        self._file.close()

    def _keep(self, shard: int) -> None:
        """Run a shard until it ends, and again after each kill."""
        while shard not in self.summaries:
            crawl = self._crawls[shard] = self._open(shard)
            link = crawl.shard_link
            assert link is not None
            self._links.append(link)
            if self._is_over:
                link.end()
            try:
                self.summaries[shard] = crawl.run()
            except Killed:
                self.kills += 1
            finally:
                self._links.remove(link)
                del self._crawls[shard]

    def _open(self, shard: int) -> Crawl:
        self._file.set_used([usage_of(self._folder, shard)])
        began = run_id_of(shard_folder(self._folder, shard))
        limits = SharedLimits(self._file, shard, self.shards, self.config.limits)
        return open_crawl(
            shard_config(self.config, shard, self.shards),
            mode="new" if began is None else "resume",
            shard=ShardParts(self._fleet.shard(shard), limits),
            **self._given,
        )

    def _kill(self, every: Callable[[], float]) -> None:
        chance = Random(1)
        while True:
            hub.sleep(every())
            if self._crawls:
                shard = chance.choice(sorted(self._crawls))
                self._crawls[shard].fail(Killed())

    def _look(self) -> None:
        reports: dict[int, Report] = {}
        for link in self._links:
            if link.is_open:
                reports[link.mail.shard] = link.report()
        limit, file = self.config.limits.max_pages, self._file
        is_limited = any(one.is_limited for one in reports.values())
        if is_limited and limit is not None and file.left("pages", limit):
            return
        if is_over(reports, self.shards):
            self._is_over = True
            for link in list(self._links):
                link.end()

    def _fail(self, error: Exception) -> None:
        for crawl in self._crawls.values():
            crawl.fail(error)


def as_crawl(config: Config, folder: Path, **given: Any) -> Summary:
    """The same crawl without shards, in another folder."""
    return open_crawl(replace(config, dir=str(folder)), mode="new", **given).run()
