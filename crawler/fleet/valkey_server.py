"""The server of an exchange: Valkey, or Redis from 6.2 on.

Each step is a script, which the server runs as a whole. All keys of a crawl
have its name in braces, and so are on one node of a cluster (`valkey_cluster.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from crawler.fleet.address import Address
from crawler.fleet.exchange_server import (
    VERSION,
    Answer,
    Arrival,
    Claim,
    Lease,
    LeaseLost,
    Owner,
    Post,
    Receipt,
    SharedCrawl,
)
from crawler.fleet.valkey_client import asking, down
from crawler.fleet.valkey_cluster import CrawlClient
from crawler.fleet.valkey_scripts import (
    BEGIN,
    CLAIM,
    POST,
    RELEASE,
    RENEW,
    REPORT,
    STEER,
    TAKE,
    TAKE_OVER,
    TELL_LAST,
    TELL_SAFE,
)
from crawler.frontier.mail import Mark
from crawler.model.errors import StateError
from crawler.model.shards import LastLease

SETTLING_S = 60
"""How long a server that has lost its data gives shards to no new machine (seconds)."""
_READ = 256
"""Messages of a shard that are read at once."""
_MAX_MAIL = 65536
"""Messages that are kept for a shard; those that were lost are sent again."""


class ValkeyServer:
    """The crawl of `address` at its server. Each call has a connection of its own."""

    def __init__(self, address: Address) -> None:
        self._where = address.where
        self._prefix = f"orbweb:{{{address.crawl}}}:"
        self._client: Any = CrawlClient(address, self._key("crawl"))
        register = self._client.register_script
        self._post, self._tell_safe = register(POST), register(TELL_SAFE)
        self._take, self._renew = register(TAKE), register(RENEW)
        self._release, self._report = register(RELEASE), register(REPORT)
        self._begin, self._take_over = register(BEGIN), register(TAKE_OVER)
        self._claim, self._steer = register(CLAIM), register(STEER)
        self._tell_last = register(TELL_LAST)

    def close(self) -> None:
        self._client.disconnect()

    # Mail

    def post(self, lease: Lease, mail: Mapping[int, Sequence[Post]]) -> None:
        keys = [self._lease(lease.shard)]
        arguments: list[Any] = [lease.token, _MAX_MAIL]
        for to, posts in mail.items():
            keys.append(self._key(f"mail:{to}"))
            for post in posts:
                arguments += [len(keys), post.source, *post.mark, post.first, post.body]
        with self._asking():
            self._check(lease, self._post(keys, arguments))

    def read(self, after: Mapping[int, str]) -> dict[int, list[Arrival]]:
        places = {
            self._key(f"mail:{shard}"): place or "0-0" for shard, place in after.items()
        }
        if not places:
            return {}
        with self._asking():
            found = self._client.xread(places, count=_READ)
        return {
            int(key.rpartition(b":")[2]): [
                Arrival(place.decode(), _post_of(fields)) for place, fields in entries
            ]
            for key, entries in found
        }

    def tell_safe(self, lease: Lease, safe: Mapping[int, Receipt], upto: str) -> None:
        keys = [self._lease(lease.shard), self._key(f"mail:{lease.shard}")]
        keys += [self._key(f"safe:{source}") for source in safe]
        receipts = [_encode_receipt(one) for one in safe.values()]
        with self._asking():
            place = upto and _after(upto)
            arguments: list[Any] = [lease.token, place, lease.shard, *receipts]
            self._check(lease, self._tell_safe(keys, arguments))

    def safe_of(self, shard: int) -> dict[int, Receipt]:
        with self._asking():
            found = self._client.hgetall(self._key(f"safe:{shard}"))
        return {int(by): _receipt_of(one) for by, one in found.items()}

    # The crawl

    def begin(self, crawl: SharedCrawl) -> bool:
        return self._begin_crawl(crawl, {}, 0)

    def restore(self, crawl: SharedCrawl, homes: Mapping[int, str]) -> bool:
        return self._begin_crawl(crawl, homes, SETTLING_S)

    def _begin_crawl(
        self, crawl: SharedCrawl, homes: Mapping[int, str], settling_s: int
    ) -> bool:
        names = ("crawl", "settling", "homes", "claims", "claims_of", "leases_of")
        keys = [*map(self._key, names)]
        pairs = [part for pair in homes.items() for part in pair]
        encoded = msgspec.msgpack.encode(crawl)
        with self._asking():
            arguments = [encoded, crawl.run_id, settling_s, crawl.revision, *pairs]
            return bool(self._begin(keys, arguments))

    def crawl(self) -> SharedCrawl | None:
        with self._asking():
            found = self._client.hget(self._key("crawl"), "all")
        if found is None:
            return None
        try:
            version = msgspec.msgpack.decode(found, type=_Versioned).version
        except msgspec.MsgspecError:
            version = -1
        if version != VERSION:
            raise StateError(
                f"the exchange at {self._where} was written by another version of "
                "orbweb: all machines of a crawl need the same one"
            )
        return msgspec.msgpack.decode(found, type=SharedCrawl)

    def run_id(self) -> str | None:
        with self._asking():
            found = self._client.hget(self._key("crawl"), "run")
        return None if found is None else found.decode()

    def revision(self) -> int:
        with self._asking():
            return int(self._client.hget(self._key("crawl"), "revision") or 0)

    def steer(self, crawl: SharedCrawl) -> bool:
        keys = [self._key("crawl"), self._key("over")]
        encoded = msgspec.msgpack.encode(crawl)
        arguments: list[Any] = [encoded, crawl.run_id, crawl.revision]
        with self._asking():
            return bool(self._steer(keys, arguments))

    def remove(self, shards: int) -> None:
        names = ["crawl", "homes", "reports", "over", "settling", "tokens"]
        names += ["snapshots", "claims", "claims_of", "leases_of", "told_before"]
        for kind in ("lease", "mail", "safe"):
            names += [f"{kind}:{shard}" for shard in range(shards)]
        with self._asking():
            self._client.delete(*map(self._key, names))

    def set_program(self, crawl: SharedCrawl, program: str) -> None:
        encoded = msgspec.msgpack.encode(replace(crawl, program=program))
        with self._asking():
            self._client.hset(self._key("crawl"), "all", encoded)

    def set_over(self) -> None:
        with self._asking():
            self._client.set(self._key("over"), "1")

    def is_over(self) -> bool:
        with self._asking():
            return bool(self._client.exists(self._key("over")))

    # Leases

    def homes(self) -> dict[int, str]:
        with self._asking():
            found = self._client.hgetall(self._key("homes"))
        return {int(shard): home.decode() for shard, home in found.items()}

    def tell_last(self, leases: Mapping[int, LastLease]) -> dict[int, LastLease]:
        keys = [*map(self._key, ("crawl", "tokens", "homes"))]
        with self._asking():
            found = self._tell_last(
                keys, [part for shard, one in leases.items() for part in (shard, *one)]
            )
        tokens, homes = (dict(zip(one[::2], one[1::2], strict=True)) for one in found)
        return {
            int(shard): LastLease(token.decode(), homes[shard].decode())
            for shard, token in tokens.items()
            if shard in homes
        }

    def owners(self, shards: int) -> dict[int, Owner]:
        with self._asking():
            found = self._client.mget([self._lease(one) for one in range(shards)])
        return {
            shard: _owner(held.partition(b" ")[2])
            for shard, held in enumerate(found)
            if held is not None
        }

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
        lease_of = f"lease:{lease.shard}"
        names = ("crawl", lease_of, "homes", "reports", "settling", "tokens")
        keys = [*map(self._key, (*names, "leases_of", "told_before"))]
        proof = "held" if is_held else "state" if has_state else ""
        with self._asking():
            arguments = [*_lease_arguments(lease, owner, ttl_s), proof, *tokens]
            found = self._take(keys, arguments)
        return _owner(found) if found else None

    def take_over(self, lease: Lease, owner: Owner, ttl_s: float, home: str) -> bool:
        common = ("homes", "reports", "tokens", "settling", "leases_of")
        names = ("crawl", f"lease:{lease.shard}", *common, "claims", "claims_of")
        keys = [*map(self._key, (*names, "told_before"))]
        arguments = [*_lease_arguments(lease, owner, ttl_s), home]
        with self._asking():
            return bool(self._take_over(keys, arguments))

    def renew(self, leases: Iterable[Lease], owner: Owner, ttl_s: float) -> list[int]:
        leases = [*leases]
        common = [*map(self._key, ("homes", "tokens", "settling", "leases_of"))]
        calls = [
            (
                [self._lease(lease.shard), *common],
                _lease_arguments(lease, owner, ttl_s),
            )
            for lease in leases
        ]
        with self._asking():
            kept = self._client.run_all(self._renew, calls)
        return [
            lease.shard
            for lease, is_kept in zip(leases, kept, strict=True)
            if not is_kept
        ]

    def release(self, leases: Iterable[Lease]) -> None:
        calls = [([self._lease(lease.shard)], [lease.token]) for lease in leases]
        with self._asking():
            self._client.run_all(self._release, calls)

    def report(self, leases: Mapping[Lease, bytes]) -> None:
        keys = [self._key("reports"), *(self._lease(one.shard) for one in leases)]
        arguments: list[Any] = []
        for lease, content in leases.items():
            arguments += [lease.token, lease.shard, content]
        with self._asking():
            self._report(keys, arguments)

    def claim(self, lease: Lease, claim: Claim, shards: int) -> Answer | None:
        names = (f"lease:{lease.shard}", "homes", "claims", "claims_of")
        with self._asking():
            keys = [*map(self._key, names)]
            found = self._claim(keys, [lease.token, *claim, shards])
        return Answer(found[0], found[1], bool(found[2])) if found else None

    def set_snapshot(self, lease: Lease, taken_at: float) -> None:
        keys = [self._key("snapshots"), self._lease(lease.shard)]
        with self._asking():
            self._report(keys, [lease.token, lease.shard, repr(taken_at)])

    def snapshots(self) -> dict[int, float]:
        with self._asking():
            found = self._client.hgetall(self._key("snapshots"))
        return {int(shard): float(taken_at) for shard, taken_at in found.items()}

    def reports(self) -> dict[int, bytes]:
        return self._told("reports")

    def last_reports(self) -> dict[int, bytes]:
        # In this order: a shard that is taken in between is in the second one.
        told = self._told("reports")
        return self._told("told_before") | told

    def _told(self, name: str) -> dict[int, bytes]:
        with self._asking():
            found = self._client.hgetall(self._key(name))
        return {int(shard): content for shard, content in found.items()}

    # Inside

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raise ExchangeDown where the server does not answer as it should."""
        with asking(self._where, self._client.forget):
            self._client.find()
            yield

    def _check(self, lease: Lease, answer: int) -> None:
        """What a script says of a lease: 1, 0 (another has it), or -1 (none has)."""
        if answer < 0:
            raise down(self._where, f"has no lease of shard {lease.shard}", 4)
        if not answer:
            raise LeaseLost(lease.shard)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _lease(self, shard: int) -> str:
        return self._key(f"lease:{shard}")


class _Versioned(msgspec.Struct):
    version: int


def _post_of(fields: Mapping[bytes, bytes]) -> Post:
    mark = Mark(int(fields[b"e"]), int(fields[b"n"]))
    return Post(int(fields[b"s"]), mark, int(fields[b"f"]), fields[b"b"])


def _encode_receipt(receipt: Receipt) -> str:
    numbers = (*receipt.taken, *receipt.kept, receipt.opening)
    return " ".join(map(str, numbers))


def _receipt_of(content: bytes) -> Receipt:
    epoch, number, kept_epoch, kept_number, opening = map(int, content.split())
    return Receipt(Mark(epoch, number), Mark(kept_epoch, kept_number), opening)


def _after(place: str) -> str:
    """The place after this one: XTRIM removes what is before a place."""
    moment, _, number = place.partition("-")
    return f"{moment}-{int(number) + 1}"


def _owner(text: bytes) -> Owner:
    home, _, machine = text.decode().partition(" ")
    return Owner(home, machine)


def _lease_arguments(lease: Lease, owner: Owner, ttl_s: float) -> list[Any]:
    name = f"{owner.home} {owner.machine}"
    return [lease.token, name, owner.home, int(ttl_s * 1000), lease.shard]
