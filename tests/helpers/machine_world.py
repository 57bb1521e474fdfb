"""Machines that crawl a tree by an exchange, in virtual time, with faults by one seed.

Their leases, carriers and shards are those of the program; the server is in memory, and
the wires to it are slow, cut, and lose answers. A page takes no request. Each URL has
one inlink, so that a lost message loses what is below it.
"""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from msgspec.structs import replace

import hub
from crawler.engine.stats import Snapshot
from crawler.fleet.allowances import Allowances
from crawler.fleet.exchange_server import (
    ExchangeDown,
    LeaseLost,
    Owner,
    Post,
    SharedCrawl,
)
from crawler.fleet.grants import SharedLimits
from crawler.fleet.held_leases import HeldLeases
from crawler.fleet.machine import LEASE_S, Machine
from crawler.fleet.messages import LeaseSettings, Renewed
from crawler.fleet.server_carrier import ServerCarrier
from crawler.frontier.mail import Mailbox, Report
from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.frontier.sqlite.fleet_file import FleetFile
from crawler.model.crawl import Discovered
from crawler.model.errors import StateError
from crawler.model.policy_config import LimitsConfig
from crawler.model.shards import Layout, Owners
from hub.testing import simulated_network
from tests.helpers.mail_world import Shard, url_of
from tests.helpers.memory_server import MemoryServer

SHARDS = 16
MACHINES = 4
PROCESSES = 2
STEP_S = 1.0
"""The mean time between two steps of a process (virtual seconds)."""
CRAWL_STEPS = 300
"""Steps of a shard in which it could fetch its share of the pages.

So many that all faults come meanwhile.
"""
QUIET_S = 100.0
PATIENCE_S = 3_000.0
"""Far longer than the end takes after the last fault (virtual seconds)."""

FAULTS = (
    *("kill_process", "kill_machine", "set_shard_back", "cut_power"),
    *("lose_server", "set_server_back", "cut_wire", "slow_wire", "sleep", "move"),
    "wake_in_the_past",
)
"""`World` has a method for each of them."""


class Wire:
    """The server, as one machine reaches it, which calls `wake` before each step."""

    def __init__(
        self, server: MemoryServer, chance: Random, wake: Callable[[], None]
    ) -> None:
        self._server = server
        self._chance = chance
        self._wake = wake
        self.is_cut = False
        self.delay_s = 0.01
        self.loss = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._server, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._pass()
            answer = method(*arguments, **named)
            self._pass()  # else it was done, and that is not told
            return answer

        return call

    def _pass(self) -> None:
        hub.sleep(self._chance.expovariate(1 / self.delay_s))
        self._wake()
        if self.is_cut or self._chance.random() < self.loss:
            raise ExchangeDown("the exchange is away")


class TrustingCarrier(ServerCarrier):
    """The control: what the server has taken is deleted by its sender."""

    def send(self, mail: Mailbox) -> None:
        super().send(mail)
        for to in mail.sent():
            posted = self._way(mail, to).posted
            mail.acknowledged(to, mail.sent()[to]._replace(number=posted))

    def _heed(self, mail: Mailbox, post: Post) -> None:
        """Whether mail is lost is not looked at."""


class Process:
    """A process of a machine, with some of its shards."""

    def __init__(self, box: Box, shards: list[int]) -> None:
        world = box.world
        machine = box.machine
        tokens = {shard: machine.leases[shard].token for shard in shards}
        self.leases = HeldLeases(
            LeaseSettings("", tokens, len(tokens), machine.held_until), world.now
        )
        self.shards = [self._opened(box, number) for number in shards]
        for shard in self.shards:
            if shard.number == world.owners.of_url(url_of(0)):
                first = Discovered(url_of(0), "seed", "page", 0)
                shard.store.add([first], shard.now)
            if not world.trusts:
                guard = self._guard_of(shard.number)
                shard.store.guard(guard)
        self._file = box.file
        used = {shard.number: shard.store.counts()["page"] for shard in self.shards}
        self._file.set_used([(number, pages, 0) for number, pages in used.items()])
        self._granted = used
        self._carrier = self._carrier_of(box)
        self._world = world
        self._machine = machine
        self._told_at = world.now()
        self.is_set_back = False

    def _opened(self, box: Box, number: int) -> Shard:
        return Shard(box.folder / str(number), number, box.world.owners)

    def _carrier_of(self, box: Box) -> ServerCarrier:
        kind = TrustingCarrier if box.world.trusts else ServerCarrier
        return kind(box.wire, self.leases.by_shard, box.world.now)

    def _guard_of(self, shard: int) -> Callable[[], None]:
        return lambda: self.leases.check(shard)

    def step(self) -> None:
        """Exchange mail, fetch some pages, and tell how the shards stand."""
        for shard in self.shards:
            self._carrier.send(shard.store)
            for message in self._carrier.receive(shard.store):
                content = shard.store.accept(message)
                if content is not None:
                    shard.store.add(content.found, shard.now)
            may_fetch = self._world.chance.random() < self._world.speed
            if may_fetch and self._may_fetch(shard) and shard.work(self._world.size):
                self._world.worked_at = self._world.now()
            report = self._report(shard)
            if report.is_idle:
                shard.sync()
            self._machine.own.heard(report, Snapshot(0.0))
        if self._world.now() >= self._told_at + 5:
            self._told_at = self._world.now()
            for shard in self.shards:
                self._carrier.tell_safe(shard.store, shard.make_safe())
                for by, mark in self._carrier.acknowledgements(shard.store):
                    shard.store.acknowledged(by, mark)

    def _may_fetch(self, shard: Shard) -> bool:
        """Whether the shard has a page left of the limit, as `Quotas` has it."""
        limits, used = self._world.limits, shard.store.counts()["page"]
        if limits.max_pages is None or used < self._granted[shard.number]:
            return True
        grants = SharedLimits(self._file, shard.number, len(self.shards), limits)
        self._granted[shard.number] = grants.pages(used)
        return used < self._granted[shard.number]

    def _report(self, shard: Shard) -> Report:
        report = shard.report()
        if not report.is_idle and not self._may_fetch(shard):
            return replace(report, is_idle=True, is_limited=True)
        if report.is_idle and self._granted[shard.number] > report.pages:
            self._file.release(shard.number, report.pages, 0)
            self._granted[shard.number] = report.pages
        return report

    def close(self) -> None:
        """It was killed: what is not committed is lost."""
        for shard in self.shards:
            shard.store.close()
        if self.is_set_back:
            self._world.chance.choice(self.shards).lose_commits(self._world.chance)


class Box:
    """A machine with its folder."""

    def __init__(self, world: World, folder: Path, home: str, name: str) -> None:
        self.world = world
        self.folder = folder
        self.owner = Owner(home, name)
        self.wire = Wire(world.server, world.chance, self._wake)
        self.processes: list[Process] = []
        self.refused = ""
        self.is_asleep = False
        self._greenlets: list[hub.Greenlet[Any]] = []

    def start(self, most: int) -> None:
        self._greenlets = [hub.spawn(self._run, most)]

    def own_shards(self) -> list[int]:
        return [
            int(path.name)
            for path in self.folder.iterdir()
            if (path / "frontier.sqlite3").exists()
        ]

    def _run(self, most: int) -> None:
        with closing(FleetFile(self.folder)) as file:
            self._run_machine(file, most)

    def _run_machine(self, file: FleetFile, most: int) -> None:
        self.file = file
        allowances = Allowances(
            file, self.world.limits, self.owner.home, SHARDS, lambda _text: None
        )
        self.machine = Machine(
            self.wire,
            self.world.crawl,
            self.owner,
            file,
            10.0,
            lambda _text: None,
            self.world.now,
            self.world.now,
            self.world.now,
            allowances=allowances,
        )
        try:
            taken = self._take(most)
            keeping = [
                hub.spawn(self._keep, taken[number::PROCESSES])
                for number in range(PROCESSES)
            ]
            self._greenlets += keeping
            self._greenlets.append(hub.spawn(self._hold))
        except StateError as error:
            self._refuse(error)
        else:
            hub.joinall([*self._greenlets[1:]])

    def _take(self, most: int) -> list[int]:
        while True:
            try:
                if taken := self.machine.take(self.own_shards(), most):
                    return taken
            except ExchangeDown:
                pass
            hub.sleep(5)

    def _hold(self) -> None:
        try:
            self.machine.run(self._renewed, self.world.is_told)
        except StateError as error:
            self._refuse(error)

    def _refuse(self, error: StateError) -> None:
        """The machine stops."""
        self.refused = str(error)

    def _renewed(self) -> None:
        self._wake()
        message = Renewed(self.machine.held_until, sorted(self.machine.lost))
        for process in self.processes:
            process.leases.renewed(message)

    def _wake(self) -> None:
        """A machine that sleeps does nothing before it wakes."""
        while self.is_asleep:
            hub.sleep(1)

    def _keep(self, shards: list[int]) -> None:
        """Run processes, one after the other, as the parent does."""
        while shards and not self.world.is_over:
            try:
                self.machine.hold(shards, lambda: False)
                process = self._process_of(shards)
            except StateError as error:
                self._refuse(error)
                return
            self.processes.append(process)
            try:
                self._work(process, shards)
            except (LeaseLost, Killed):
                pass
            except StateError as error:
                self._refuse(error)
                return
            finally:
                self.processes.remove(process)
                process.close()
                self.machine.own.died(shards)

    def _process_of(self, shards: list[int]) -> Process:
        """A new process; StateError if it may not crawl these shards."""
        return Process(self, shards)

    def _work(self, process: Process, shards: list[int]) -> None:
        while not self.world.is_over:
            hub.sleep(self.world.chance.expovariate(1 / STEP_S))
            self._wake()
            process.step()
            for shard in [] if self.world.trusts else shards:
                process.leases.check(shard)

    def kill(self) -> None:
        """Kill all that runs, and keep what is committed."""
        hub.killall(self._greenlets)
        self._greenlets = []

    def pages(self) -> Counter[str]:
        """How often each URL has ended, in the shards of the folder."""
        found: Counter[str] = Counter()
        for number in self.own_shards():
            shard = Shard(self.folder / str(number), number, self.world.owners)
            found += shard.pages()
            shard.store.close()
        return found


class Killed(Exception):
    """A process was killed."""


class World:
    """MACHINES of them crawl a tree of `size` URLs in SHARDS shards.

    `trusts`: the control, in which the server is believed, and no lease is looked at.
    `max_pages`: the limit of the crawl.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        size: int,
        *,
        trusts: bool = False,
        max_pages: int | None = None,
    ) -> None:
        self.limits = LimitsConfig(max_pages=max_pages)
        self.chance = Random(seed)
        self.size = size
        self.speed = size / SHARDS / CRAWL_STEPS
        """Pages that a shard fetches in a step."""
        self.trusts = trusts
        self.loop = hub.get_hub().loop
        self.now = self.loop.now
        self.is_over = False
        self.worked_at = self.now()
        """When a page was fetched last."""
        self.kinds: Sequence[str] = FAULTS
        """Each fault is drawn from these."""
        self.faults: Counter[str] = Counter()
        layout = Layout(SHARDS)
        self.owners = Owners(layout)
        self.crawl = SharedCrawl("0" * 26, "{}", layout, "1")
        self.server = MemoryServer(self.now, trusts=trusts)
        self.server.begin(self.crawl)
        self.boxes = []
        for number in range(MACHINES):
            place = folder / str(number)
            place.mkdir()
            self.boxes.append(Box(self, place, f"home{number}", f"m{number}"))
        self.sleepers: list[tuple[Box, Counter[str]]] = []
        """Those that were replaced, each with the pages that it had by then."""
        self._folder = folder
        self._saved = copy.deepcopy(self.server.data)

    def is_told(self) -> None:
        """A machine has seen the end."""
        self.is_over = True

    def run(self, faults: int, patience_s: float = PATIENCE_S) -> bool:
        """Crawl with so many faults; whether the end was told.

        `patience_s`: how long after the last fault that may take (virtual seconds).
        """
        for box in self.boxes:
            box.start(SHARDS // MACHINES)
        hub.sleep(10)
        for _ in range(faults):
            hub.sleep(self.chance.uniform(0, 10))
            if self.is_over:
                break
            if self.chance.random() < 0.2:
                self._saved = copy.deepcopy(self.server.data)
            kind = self.chance.choice(self.kinds)
            self.faults[kind] += 1
            getattr(self, f"_{kind}")(self.chance.choice(self.boxes))
        deadline = self.now() + patience_s
        while not (self.is_over or self.now() >= deadline or self._is_stuck()):
            hub.sleep(5)
        for box in (*self.boxes, *(box for box, _ in self.sleepers)):
            box.kill()
        return self.is_over

    def _is_stuck(self) -> bool:
        """Whether the control has fetched nothing for long: it never sends again."""
        return self.trusts and self.now() > self.worked_at + QUIET_S

    def pages(self) -> Counter[str]:
        """How often each URL has ended, over all folders that own a shard."""
        return sum((box.pages() for box in self.boxes), Counter())

    def written_asleep(self) -> Counter[str]:
        """What was written by machines that slept past their leases."""
        pages = (box.pages() - before for box, before in self.sleepers)
        return sum(pages, Counter())

    # Faults

    def _kill_process(self, box: Box) -> None:
        if box.processes:
            process = self.chance.choice(box.processes)
            process.step = _killed  # type: ignore[method-assign]

    def _kill_machine(self, box: Box) -> None:
        """The parent and all its processes are killed, and started again."""
        box.kill()
        box.start(SHARDS // MACHINES)

    def _set_shard_back(self, box: Box) -> None:
        """A process is killed, and a shard of it has the state of a commit before.

        What was told to be safe is there.
        """
        if box.processes:
            process = self.chance.choice(box.processes)
            process.is_set_back = True
            process.step = _killed  # type: ignore[method-assign]

    def _cut_power(self, box: Box) -> None:
        """What was not on the disk is lost, of each shard of the machine."""
        shards = [shard for process in box.processes for shard in process.shards]
        box.kill()
        for shard in shards:
            shard.lose_commits(self.chance)
        hub.sleep(self.chance.uniform(0, 2 * LEASE_S))
        box.start(SHARDS // MACHINES)

    def _lose_server(self, _box: Box) -> None:
        """The server is killed, and has no data when it is back."""
        self.server.is_down = True
        hub.sleep(self.chance.uniform(0, 1.5 * LEASE_S))
        self.server.forget()
        self.server.is_down = False

    def _set_server_back(self, _box: Box) -> None:
        """The server is killed, and has the data of a while ago when it is back."""
        self.server.is_down = True
        hub.sleep(self.chance.uniform(0, 10))
        self.server.set_back(copy.deepcopy(self._saved))
        self.server.is_down = False

    def _cut_wire(self, box: Box) -> None:
        box.wire.is_cut = True
        hub.sleep(self.chance.uniform(0, 2 * LEASE_S))
        box.wire.is_cut = False

    def _slow_wire(self, box: Box) -> None:
        box.wire.delay_s, box.wire.loss = 2.0, 0.1
        hub.sleep(self.chance.uniform(0, LEASE_S))
        box.wire.delay_s, box.wire.loss = 0.01, 0.0

    def _sleep(self, box: Box) -> None:
        """The machine sleeps, also past its lease."""
        box.is_asleep = True
        hub.sleep(self.chance.uniform(0, 2 * LEASE_S))
        box.is_asleep = False

    def _move(self, box: Box) -> None:
        """A copy of its folder goes on elsewhere, while it sleeps past its lease."""
        self._leave(box)
        self._return(box)

    def _wake_in_the_past(self, box: Box) -> None:
        """So it does; and the server has the data of before when the machine wakes.

        Or none. It may be away for so long that the copy loses its leases, too.
        """
        before = copy.deepcopy(self.server.data)
        self._leave(box)
        if self.is_over:
            return
        self.server.is_down = True
        hub.sleep(self.chance.uniform(0, 1.5 * LEASE_S))
        if self.chance.random() < 0.5:
            self.server.set_back(before)
        else:
            self.server.forget()
        self.server.is_down = False
        self._return(box)

    def _leave(self, box: Box) -> None:
        """The machine sleeps, and another one takes its shards."""
        box.is_asleep = True
        hub.sleep(10)  # what it has begun ends
        shards = [shard for process in box.processes for shard in process.shards]
        if len(shards) == len(box.own_shards()) > 0:
            name = f"{box.owner.machine}-{len(self.sleepers)}"
            (self._folder / name).mkdir()
            other = Box(self, self._folder / name, box.owner.home, name)
            shutil.copytree(box.folder / STATE_FOLDER, other.folder / STATE_FOLDER)
            before: Counter[str] = Counter()
            for shard in shards:
                shard.write_copy(other.folder / str(shard.number))
                before += shard.pages()
            self.boxes[self.boxes.index(box)] = other
            self.sleepers.append((box, before))
            other.start(SHARDS // MACHINES)
            hub.sleep(self.chance.uniform(1.5, 3) * LEASE_S)

    def _return(self, box: Box) -> None:
        box.is_asleep = False


def _killed() -> None:
    raise Killed


class Outcome(NamedTuple):
    """What came of a crawl with faults."""

    is_told: bool
    """Whether a machine saw the end."""
    lost: int
    """URLs that have not ended."""
    twice: int
    """Ends of URLs beyond the first, and of URLs that are none."""
    asleep: int
    """Pages that machines wrote which had slept past their leases."""
    refused: list[str]
    """Why machines stopped, of those that had not been replaced."""
    faults: Counter[str]


def crawled(
    seed: int,
    size: int,
    faults: int,
    *,
    trusts: bool = False,
    max_pages: int | None = None,
    kinds: Sequence[str] = FAULTS,
) -> Outcome:
    """A crawl of a tree of `size` URLs, with faults by this seed."""
    with (
        TemporaryDirectory(dir="/dev/shm") as folder,
        simulated_network(seed, start=1.8e9),
    ):
        world = World(Path(folder), seed, size, trusts=trusts, max_pages=max_pages)
        world.kinds = kinds
        is_told = world.run(faults)
        found = world.pages()
        all_of_them = Counter(url_of(number) for number in range(size))
        return Outcome(
            is_told,
            (all_of_them - found).total(),
            (found - all_of_them).total(),
            world.written_asleep().total(),
            [box.refused for box in world.boxes if box.refused],
            world.faults,
        )
