"""A server of an exchange in memory, whose clock and faults a test decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from crawler.fleet.exchange_server import (
    NO_OWNER,
    STALE,
    Answer,
    Arrival,
    Claim,
    ExchangeDown,
    Lease,
    LeaseLost,
    Owner,
    Post,
    Receipt,
    SharedCrawl,
    token_number,
)
from crawler.model.shards import LastLease

SETTLING_S = 60.0


class Data:
    """What it keeps; a copy of it is a copy of the server's files."""

    def __init__(self) -> None:
        self.crawl: SharedCrawl | None = None
        self.settling_until = 0.0
        self.is_over = False
        self.homes: dict[int, str] = {}
        self.leases: dict[int, tuple[Lease, Owner, float]] = {}
        self.reports: dict[int, bytes] = {}
        self.told_before: dict[int, bytes] = {}
        self.mail: dict[int, list[Arrival]] = {}
        self.tokens: dict[int, str] = {}
        self.claims: dict[str, tuple[int, int]] = {}
        self.claims_of = 0
        """The start of the server since which claims were told."""
        self.has_all_claims = False
        self.leases_of = 0
        """The start of the server in which leases were given last."""
        self.snapshots: dict[int, float] = {}
        self.safe: dict[int, dict[int, Receipt]] = {}


class MemoryServer:
    """`clock` is in seconds.

    `trusts`: the control, which checks no lease.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        trusts: bool = False,
    ) -> None:
        self._clock = clock
        self._trusts = trusts
        self.is_down = False
        self._count = 0
        self._starts = 0
        self.forget()

    def forget(self) -> None:
        """It is started again without its data."""
        self.set_back(Data())

    def set_back(self, data: Data) -> None:
        """It is started again with older data."""
        self.data = data
        self._starts += 1

    def close(self) -> None:
        """Nothing is open."""

    # Mail

    def post(self, lease: Lease, mail: Mapping[int, Sequence[Post]]) -> None:
        self._begin_call()
        self._check(lease)
        for to, posts in mail.items():
            kept = self.data.mail.setdefault(to, [])
            for post in posts:
                self._count += 1
                kept.append(Arrival(f"{self._count:09}", post))

    def read(self, after: Mapping[int, str]) -> dict[int, list[Arrival]]:
        self._begin_call()
        found = {
            shard: [one for one in self.data.mail.get(shard, ()) if one.place > place][
                :256
            ]
            for shard, place in after.items()
        }
        return {shard: arrivals for shard, arrivals in found.items() if arrivals}

    def tell_safe(self, lease: Lease, safe: Mapping[int, Receipt], upto: str) -> None:
        self._begin_call()
        self._check(lease)
        for source, receipt in safe.items():
            self.data.safe.setdefault(source, {})[lease.shard] = receipt
        mail = self.data.mail.get(lease.shard, [])
        self.data.mail[lease.shard] = [one for one in mail if one.place > upto]

    def safe_of(self, shard: int) -> dict[int, Receipt]:
        self._begin_call()
        return dict(self.data.safe.get(shard, {}))

    # The crawl

    def begin(self, crawl: SharedCrawl) -> bool:
        self._begin_call()
        if self.data.crawl is not None:
            return False
        self.data.crawl = crawl
        self.data.claims, self.data.has_all_claims = {}, True
        self.data.claims_of = self.data.leases_of = self._starts
        return True

    def restore(self, crawl: SharedCrawl, homes: Mapping[int, str]) -> bool:
        if not self.begin(crawl):
            return False
        self.data.has_all_claims = False
        self.data.settling_until = self._clock() + SETTLING_S
        self.data.homes = {**homes, **self.data.homes}
        return True

    def crawl(self) -> SharedCrawl | None:
        self._begin_call()
        return self.data.crawl

    def run_id(self) -> str | None:
        self._begin_call()
        return None if self.data.crawl is None else self.data.crawl.run_id

    def revision(self) -> int:
        self._begin_call()
        return 0 if self.data.crawl is None else self.data.crawl.revision

    def steer(self, crawl: SharedCrawl) -> bool:
        self._begin_call()
        old = self.data.crawl
        if old is None or old.run_id != crawl.run_id or old.revision >= crawl.revision:
            return False
        self.data.crawl, self.data.is_over = crawl, False
        return True

    def remove(self, shards: int) -> None:
        self._begin_call()
        self.forget()

    def set_program(self, crawl: SharedCrawl, program: str) -> None:
        self._begin_call()
        self.data.crawl = replace(crawl, program=program)

    def set_over(self) -> None:
        self._begin_call()
        self.data.is_over = True

    def is_over(self) -> bool:
        self._begin_call()
        return self.data.is_over

    # Leases

    def homes(self) -> dict[int, str]:
        self._begin_call()
        return dict(self.data.homes)

    def tell_last(self, leases: Mapping[int, LastLease]) -> dict[int, LastLease]:
        self._begin_call()
        data = self.data
        if data.crawl is None:
            return {}
        for shard, (token, home) in leases.items():
            last = data.tokens.get(shard)
            if last is None or token_number(token) > token_number(last):
                data.tokens[shard], data.homes[shard] = token, home
        return {
            shard: LastLease(token, data.homes[shard])
            for shard, token in data.tokens.items()
        }

    def owners(self, shards: int) -> dict[int, Owner]:
        self._begin_call()
        held = ((shard, self._held(shard)) for shard in range(shards))
        return {shard: one[1] for shard, one in held if one is not None}

    def take(
        self,
        lease: Lease,
        owner: Owner,
        ttl_s: float,
        *,
        has_state: bool = False,
        is_held: bool = False,
        tokens: Collection[str] = (),
    ) -> Owner | None:
        self._begin_call()
        held = self._held(lease.shard)
        if self.data.crawl is None:
            return NO_OWNER
        if self._settles(ttl_s) and not is_held:
            if has_state:
                self.data.homes.setdefault(lease.shard, owner.home)
            return NO_OWNER
        if held is not None and held[1] != owner:
            return held[1]
        home = self.data.homes.get(lease.shard)
        if home is not None and home != owner.home:
            return Owner(home, "")
        last = self.data.tokens.get(lease.shard)
        if last is not None and tokens and last not in tokens:
            return STALE
        self.data.homes[lease.shard] = owner.home
        self.data.leases[lease.shard] = lease, owner, self._clock() + ttl_s
        told = self.data.reports.pop(lease.shard, None)
        if told is not None:
            self.data.told_before[lease.shard] = told
        self.data.tokens[lease.shard] = lease.token
        return None

    def take_over(self, lease: Lease, owner: Owner, ttl_s: float, home: str) -> bool:
        self._begin_call()
        data, shard = self.data, lease.shard
        is_held = self._held(shard) is not None
        if data.crawl is None or is_held or data.homes.get(shard) != home:
            return False
        if self._settles(ttl_s):
            return False
        data.homes[shard] = owner.home
        data.leases[shard] = lease, owner, self._clock() + ttl_s
        data.reports.pop(shard, None)
        data.told_before.pop(shard, None)
        data.tokens[shard] = lease.token
        data.claims.pop(owner.home, None)
        data.has_all_claims = False
        return True

    def set_snapshot(self, lease: Lease, taken_at: float) -> None:
        self._begin_call()
        if self._holds(lease):
            self.data.snapshots[lease.shard] = taken_at

    def snapshots(self) -> dict[int, float]:
        self._begin_call()
        return dict(self.data.snapshots)

    def renew(self, leases: Iterable[Lease], owner: Owner, ttl_s: float) -> list[int]:
        self._begin_call()
        return [one.shard for one in leases if not self._renew(one, owner, ttl_s)]

    def _renew(self, lease: Lease, owner: Owner, ttl_s: float) -> bool:
        held, last = self._held(lease.shard), self.data.tokens.get(lease.shard)
        is_older = self._settles(ttl_s)
        if held is not None and held[0] != lease and not is_older:
            return False
        number = token_number(lease.token)
        if last is not None and last != lease.token and token_number(last) >= number:
            return False
        self.data.homes[lease.shard] = owner.home
        self.data.leases[lease.shard] = lease, owner, self._clock() + ttl_s
        self.data.tokens[lease.shard] = lease.token
        return True

    def release(self, leases: Iterable[Lease]) -> None:
        self._begin_call()
        for lease in leases:
            if self._holds(lease):
                del self.data.leases[lease.shard]

    def report(self, leases: Mapping[Lease, bytes]) -> None:
        self._begin_call()
        for lease, content in leases.items():
            if self._trusts or self._holds(lease):
                self.data.reports[lease.shard] = content

    def reports(self) -> dict[int, bytes]:
        self._begin_call()
        return dict(self.data.reports)

    def last_reports(self) -> dict[int, bytes]:
        self._begin_call()
        return self.data.told_before | self.data.reports

    def claim(self, lease: Lease, claim: Claim, shards: int) -> Answer | None:
        self._begin_call()
        data, homes = self.data, self.data.homes
        if not self._holds(lease):
            return None
        if data.claims_of != self._starts:
            data.claims, data.has_all_claims = {}, False
            data.claims_of = self._starts
        last, had = data.claims.get(claim.home, (-1, 0))
        if last > claim.number:
            return Answer(last)
        if last == claim.number and had > claim.amount:
            return Answer(last, had - claim.amount)
        data.claims[claim.home] = claim.number, claim.amount
        all_homes = set(homes.values())
        if not data.has_all_claims:
            if len(homes) < shards or not all_homes <= set(data.claims):
                return Answer(claim.number, 0, is_whole=False)
            data.has_all_claims = True
        used = sum(data.claims.get(home, (0, 0))[1] for home in all_homes)
        left = claim.limit - used
        more = max(0, min(left, max(1, left // len(all_homes)), claim.wanted))
        data.claims[claim.home] = claim.number, claim.amount + more
        return Answer(claim.number, more)

    # Inside

    def _begin_call(self) -> None:
        if self.is_down:
            raise ExchangeDown("the exchange is away")

    def _settles(self, ttl_s: float) -> bool:
        """Whether it was restarted so lately that machines have yet to tell."""
        if self.data.leases_of != self._starts:
            self.data.leases_of = self._starts
            self.data.settling_until = self._clock() + ttl_s
        return self._clock() < self.data.settling_until

    def _held(self, shard: int) -> tuple[Lease, Owner, float] | None:
        held = self.data.leases.get(shard)
        return held if held is not None and self._clock() < held[2] else None

    def _holds(self, lease: Lease) -> bool:
        held = self._held(lease.shard)
        return held is not None and held[0] == lease

    def _check(self, lease: Lease) -> None:
        if self._trusts or self._holds(lease):
            return
        if self._held(lease.shard) is None:
            raise ExchangeDown("the exchange has no lease of the shard")
        raise LeaseLost(lease.shard)


class MemoryHistory:
    """The tokens of the leases of a folder's shards, in memory."""

    def __init__(self) -> None:
        self._tokens: dict[int, list[str]] = {}
        self._last: dict[int, LastLease] = {}
        self._held: dict[int, tuple[str, float]] = {}

    def tokens(self, shard: int) -> list[str]:
        return [*self._tokens.get(shard, ())]

    def add_tokens(self, tokens: Mapping[int, str]) -> None:
        for shard, token in tokens.items():
            self._tokens.setdefault(shard, []).append(token)

    def last_leases(self) -> dict[int, LastLease]:
        return dict(self._last)

    def set_last_leases(self, leases: Mapping[int, LastLease]) -> None:
        self._last.update(leases)

    def held_until(self, machine: str) -> dict[int, float]:
        held = self._held.items()
        return {shard: until for shard, (by, until) in held if by == machine}

    def set_held(self, machine: str, shards: Iterable[int], until: float) -> None:
        self._held = dict.fromkeys(shards, (machine, until))
