"""One of the machines that run a crawl: it holds leases of shards at the exchange.

Its parent process does that (`supervisor.py`), which fetches nothing. It renews the
leases, tells how its shards stand, and looks how those of the other machines do: each
machine sees the end by itself, from what all have told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from math import inf

from msgspec.structs import replace

import hub
from crawler.fleet.allowances import Allowances
from crawler.fleet.end import EndElsewhere
from crawler.fleet.exchange_server import (
    NO_OWNER,
    STALE,
    ExchangeDown,
    Lease,
    LeaseLost,
    LeaseServer,
    Owner,
    SharedCrawl,
)
from crawler.fleet.held_leases import LeaseHistory, awake_clock
from crawler.fleet.messages import Progress, encode
from crawler.fleet.steering import has_crawl, newer_settings
from crawler.fleet.taken_leases import TakenLeases
from crawler.fleet.two_owners import (
    SETTLING,
    copy_went_on,
    had_before,
    state_elsewhere,
    two_owners,
)
from crawler.fleet.whole_crawl import WholeCrawl
from crawler.model.config import Config
from crawler.model.errors import StateError, Stop

LEASE_S = 60.0
"""How long a lease lasts (seconds).

A machine that dies costs so much if its folder comes back under another name.
"""
MARGIN_S = 5.0
"""So much earlier its owner counts a lease as ended (seconds): clocks drift."""
RENEW_EVERY_S = 10.0
LOOK_EVERY_S = 1.0
"""How often is told how the shards stand (seconds)."""
HURRY_S = 0.2
"""How soon it looks again when it has just got some pages of the limit (seconds)."""
LOOK_AT_ALL_EVERY_S = 5.0
"""How often all shards are looked at while those of this machine have work (s)."""


class Machine:
    """Holds shards of `crawl` for `owner`.

    `note` shows a line to the user. The clocks are in seconds: `clock` is the hub's,
    `awake` goes on while the machine sleeps, and `wall` also while it is off.
    """

    def __init__(
        self,
        server: LeaseServer,
        crawl: SharedCrawl,
        owner: Owner,
        history: LeaseHistory,
        max_park_wait: float,
        note: Callable[[str], None],
        clock: Callable[[], float],
        awake: Callable[[], float] = awake_clock,
        wall: Callable[[], float] = time.time,
        lease_s: float = LEASE_S,
        allowances: Allowances | None = None,
        max_time: float | None = None,
    ) -> None:
        """`allowances`: of the limits of the crawl. `max_time`: that of this run."""
        shards = crawl.layout.shards
        self.held_until = -inf
        """Until when, by `awake`, this machine may keep anything of its shards."""
        self.own = EndElsewhere(shards, max_park_wait, lambda: 0, clock)
        self._all = WholeCrawl(server, shards, max_park_wait, clock, allowances)
        self._allowances = allowances
        self._has_claimed = False
        self._began_at = clock()
        self._ends_at = inf if max_time is None else clock() + max_time
        self.is_kept: Callable[[int], bool] = lambda _shard: True
        """Whether how a shard stands would outlive this machine, where that counts."""
        self._server = server
        self._crawl = crawl
        self.owner = owner
        self._taken = TakenLeases(server, history, owner, wall, lease_s)
        self._note = note
        self._clock = clock
        self._awake = awake
        self._lease_s = lease_s
        self._homes: dict[int, str] = {}
        self._renew_at = self._look_at = -inf
        self.lost: set[int] = set()
        """Those of `leases` that have ended, or that another machine has."""
        self.is_cut = False
        """Whether the time of this run was up before the end of the crawl."""
        self._is_away = False
        self._noted: set[str] = set()
        self._is_taking = False
        """Whether leases are taken again; a second one would not know its tokens."""

    @property
    def pages(self) -> int:
        """How many pages the whole crawl has, as far as this machine has looked."""
        return self._all.pages

    def take_limits(self, config: Config) -> None:
        """Go on with what these settings of the crawl say of its limits and its end."""
        max_time = config.limits.max_time
        self._ends_at = inf if max_time is None else self._began_at + max_time
        self.own.max_park_wait = config.politeness.max_park_wait
        self._all.take_limits(config, self.leases)

    @property
    def leases(self) -> Mapping[int, Lease]:
        """Those that this machine has taken, by shard; see also `lost`."""
        return self._taken.by_shard

    # Taking shards, and giving them back

    def take(self, own: Iterable[int], most: int) -> list[int]:
        """Take the shards `own`, whose states are here, and others up to `most`.

        Returns the shards. Raises StateError if another machine has one of `own`, and
        ExchangeDown.
        """
        own, home = {*own}, self.owner.home
        while True:
            self._tells_crawl()
            self._taken.tell()
            self._homes = self._server.homes()
            began = self._awake()
            mine = own.union(s for s, one in self._homes.items() if one == home)
            if self._has_taken(mine, begins=True) and (
                not self._is_refused_more(most) or self.leases
            ):
                break
            hub.sleep(1.0)
        self._keep_until(began + self._lease_s - MARGIN_S)
        self._all.share_bytes(self.leases)
        return sorted(self.leases)

    def _has_taken(self, shards: Collection[int], *, begins: bool = False) -> bool:
        """Take shards whose states are here; false if that is not possible yet.

        In their order, so that of two copies of a folder one gets all. `begins`: else
        this machine has had leases of them.
        """
        self._taken.draw(shards)
        is_held = begins and all(map(self._taken.is_held, shards))
        return all(
            self._has_taken_own(shard, begins, is_held) for shard in sorted(shards)
        )

    def _keep_until(self, until: float) -> None:
        """The leases that are not lost last until then, by `awake`."""
        self.held_until = until
        held = set(self.leases).difference(self.lost)
        self._taken.set_held(held, until - self._awake())

    def _is_refused_more(self, most: int) -> bool:
        """Take more shards, up to `most` in all; whether there will be some later."""
        shards = set(range(self._crawl.layout.shards))
        free = shards.difference(self._homes, self.leases)
        self._taken.draw(free if len(self.leases) < most else ())
        answers = []
        for shard in sorted(free):
            if len(self.leases) >= most:
                break
            answers.append(self._taken.take(shard))
        return self._is_settling(answers)

    def _is_settling(self, answers: Collection[Owner | None]) -> bool:
        """Whether the server said that it gives no shards yet."""
        if NO_OWNER in answers:
            self._note_once(SETTLING)
        return NO_OWNER in answers

    def _has_taken_own(self, shard: int, begins: bool, is_held: bool) -> bool:
        """As `_has_taken`, for one; another machine may still be noted."""
        tokens = self._taken.had(shard)
        deadline = self._clock() + self._lease_s + MARGIN_S
        while other := self._taken.take(
            shard, has_state=True, is_held=is_held, tokens=tokens
        ):
            if self._is_settling([other]):
                return False
            is_mine = other.home == self.owner.home
            if other == STALE or (is_mine and not begins):
                raise StateError(copy_went_on(shard))
            if not is_mine:
                raise StateError(state_elsewhere(shard))
            if self._clock() >= deadline:
                raise StateError(two_owners(shard, other.machine))
            self._note_once(had_before(other.machine, self._lease_s))
            hub.sleep(1.0)
        return True

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._note(text)

    def take_over(self, shard: int, home: str | None) -> bool:
        """As `TakenLeases.take_over`, while this machine holds what it has."""
        return self._awake() < self.held_until and self._taken.take_over(shard, home)

    def check(self, shard: int) -> None:
        """Raise LeaseLost if another machine may have the shard by now."""
        is_held = shard in self.leases and shard not in self.lost
        if not is_held or self._awake() >= self.held_until:
            raise LeaseLost(shard)

    def report_end(self) -> None:
        """Tell the others how the shards stand whose runs have ended, and hear theirs.

        Without the server each knows what was told before.
        """
        with suppress(ExchangeDown):
            self._report()
            self._all.keep_used(self.leases)

    def release(self) -> None:
        """Give all leases back; without the server they end by themselves."""
        with suppress(ExchangeDown):
            self._taken.release()

    def hold(self, shards: Iterable[int], is_stopped: Callable[[], bool]) -> None:
        """Wait until the leases of shards are held, new ones where they were lost.

        It also waits while the crawl is paused. No process may run these shards
        meanwhile.
        """
        while (self._crawl.is_paused or self._is_taking) and not is_stopped():
            hub.sleep(HURRY_S)
        if not is_stopped():
            self._is_taking = True
            try:
                self._take_again(shards, is_stopped)
            finally:
                self._is_taking = False

    def _take_again(
        self, shards: Iterable[int], is_stopped: Callable[[], bool]
    ) -> None:
        lapsed = self._awake() >= self.held_until
        if lapsed:
            self.lost.update(self.leases)
        # After a lapse all of them, so that of two copies of the folder one gets all.
        wanted = set(self.leases) if lapsed else self.lost.intersection(shards)
        while wanted and not is_stopped():
            began = self._awake()
            try:
                self._tells_crawl()
                self._taken.tell()
                has_taken = self._has_taken(wanted)
            except ExchangeDown as error:
                has_taken = False
                self._tell_away(error)
            if not has_taken:
                hub.sleep(LOOK_EVERY_S)
                continue
            self.lost.difference_update(shards)
            wanted.clear()
            if lapsed:
                self._keep_until(began + self._lease_s - MARGIN_S)

    # While the crawl runs

    def run(
        self,
        renewed: Callable[[], None],
        over: Callable[[], None],
        steered: Callable[[SharedCrawl], None] = lambda _crawl: None,
    ) -> None:
        """Keep the leases, until this is killed; `over` is called at the end.

        `renewed` is called when `held_until` is later, and `steered` with the crawl
        when it has other settings. Raises a Stop if the exchange has another crawl now.
        """
        while True:
            if self._clock() >= self._ends_at and not self.own.is_told:
                self.own.is_told = self.is_cut = True
                over()
            try:
                self._look(renewed, over, steered)
                if self._is_away:
                    self._is_away = False
                    self._note("the exchange is back")
            except ExchangeDown as error:
                self._tell_away(error)
                self._renew_at = -inf  # it may have been restarted
            hub.sleep(HURRY_S if self._has_claimed else LOOK_EVERY_S)

    def _look(
        self,
        renewed: Callable[[], None],
        over: Callable[[], None],
        steered: Callable[[SharedCrawl], None],
    ) -> None:
        now = self._clock()
        if self._tells_crawl() or now >= self._renew_at:
            self._renew()
            self._renew_at = now + min(RENEW_EVERY_S, self._lease_s / 6)
            renewed()
        if (crawl := newer_settings(self._server, self._crawl)) is not None:
            self._crawl = crawl
            self.own.is_told = self.is_cut = False
            self.own.died(self.leases)  # they may have more to do
            steered(crawl)
        self._homes = self._server.homes()
        self._settle()
        self._report()
        if self.own.is_told:
            return
        own = [*self.own.reports.values()]
        is_idle = len(own) == len(self.leases) and all(one.is_idle for one in own)
        if is_idle or now >= self._look_at:
            self._look_at = now
            if not self._all.limits_bytes:
                self._look_at += LOOK_AT_ALL_EVERY_S
            if self._all.sees_end(self._crawl.revision):
                self.own.is_told = True
                over()

    def _renew(self) -> None:
        began = self._awake()
        if self.leases and began >= self.held_until:  # it slept, or the server did
            self.lost.update(self.leases)
            return  # the processes stop, and `hold` takes new leases
        self._taken.tell()
        kept = [one for shard, one in self.leases.items() if shard not in self.lost]
        lost = self._server.renew(kept, self.owner, self._lease_s)
        self.lost.update(lost)
        self._keep_until(began + self._lease_s - MARGIN_S)

    def _tells_crawl(self) -> bool:
        """Tell the server the crawl again if it has lost its data."""
        if has_crawl(self._server, self._crawl):
            return False
        homes = self._homes | dict.fromkeys(self.leases, self.owner.home)
        if self._server.restore(self._crawl, homes):
            self._note("the exchange has lost its data; it is told what it knew")
        return True

    def _report(self) -> None:
        """Tell the others how shards stand; that one is idle can't be taken back."""
        told: dict[Lease, bytes] = {}
        for shard, one in self.own.reports.items():
            if shard in self.leases:
                report = replace(one, is_idle=one.is_idle and self.is_kept(shard))
                snapshot = self.own.snapshots[shard]
                progress = Progress(report, snapshot, self._crawl.revision)
                told[self.leases[shard]] = encode(progress)
        self._server.report(told)

    def _settle(self) -> None:
        """Get what the shards here need of the limits, by a lease that is held."""
        if self._taken.taken_over.difference(self.own.reports):
            return  # what these have used is not known yet
        self._all.share_bytes(self.leases)
        own = self.own.reports.values()
        held = [lease for shard, lease in self.leases.items() if shard not in self.lost]
        if self._allowances is not None and held:
            unheard = len(self.leases) - len(own)
            self._has_claimed = self._allowances.settle(
                self._server, held[0], own, unheard
            )

    def _tell_away(self, error: Stop) -> None:
        if not self._is_away:
            self._is_away = True
            self._note(f"{error}; the crawl goes on, and tries again")
