"""What the server of an exchange does for the machines of a crawl, as a protocol.

Several machines that run the shards of one crawl meet at a server. It carries their
mail, and says which machine runs which shard. Each call is one step there: all of it
is done, or nothing. A call that raises ExchangeDown may have been done or not.

The server is not believed where links are at stake (`frontier/mail.py`). It may be
restarted without its data. `ValkeyServer` is the one for use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from crawler.frontier.mail import Mark
from crawler.model.errors import Stop
from crawler.model.shards import LastLease, Layout

VERSION = 3
"""That of what is kept at the server, and how."""


class ExchangeDown(Stop):
    """The server can't be reached, or it refuses to work."""

    exit_code = 4

    def __init__(self, message: str, exit_code: int = 4) -> None:
        """`exit_code`: 4 for network, 5 for TLS, 6 for a wrong password."""
        super().__init__(message)
        self.exit_code = exit_code


class LeaseLost(Stop):
    """A shard may be another machine's by now, so that nothing of it may be kept."""

    exit_code = 7

    def __init__(self, shard: int) -> None:
        super().__init__(f"this machine does not hold shard {shard} any more")


class SharedCrawl(Struct, frozen=True):
    """A crawl that several machines run."""

    run_id: str
    config: str
    """The configuration of the whole crawl, as JSON."""
    layout: Layout
    program: str
    """The version of orbweb that its machines have."""
    revision: int = 0
    """It is higher with each change of what follows, or of the settings."""
    is_paused: bool = False
    """Whether the machines fetch nothing, until another change."""
    version: int = VERSION


class Lease(NamedTuple):
    """The right to run a shard. Each one has a token that was never used before.

    So what an owner tells that has slept past its lease is refused, whatever else has
    happened meanwhile. A token begins with a number, which is higher than that of the
    last lease of the shard before, as far as its owner knew.
    """

    shard: int
    token: str


def token_number(token: str) -> int:
    """The number of a lease; 0 for none."""
    number, is_numbered, _ = token.partition("-")
    return int(number) if is_numbered and number.isdecimal() else 0


class Owner(NamedTuple):
    """The machine that runs a shard."""

    home: str
    """The id of the folder that has the shard's state."""
    machine: str
    """The machine, and the path of the folder there."""


NO_OWNER = Owner("-", "")
"""No machine has the shard, and none may take it now."""


STALE = Owner("!", "")
"""Another machine has run the shard since this one had it."""


class Post(NamedTuple):
    """A message, as a sender gives it to the server."""

    source: int
    mark: Mark
    first: int
    """The first number that the sender still has, in this epoch."""
    body: bytes


class Arrival(NamedTuple):
    """A message that has come, and its place in the mail of its receiver."""

    place: str
    post: Post


class Receipt(NamedTuple):
    """What a receiver tells a sender of its mail."""

    taken: Mark
    """The last message that is on the disk of the receiver."""
    kept: Mark
    """The last one that the receiver has also if its disk is lost."""
    opening: int
    """The epoch of the receiver: with another one it may have gone back in time."""


class Claim(NamedTuple):
    """What a folder has of the `limits.max_pages` of the crawl, and asks for."""

    home: str
    number: int
    """It is higher with each change of what the folder has."""
    amount: int
    wanted: int
    limit: int


class Answer(NamedTuple):
    """What the server says to a claim."""

    number: int
    """That of the last claim of this home that the server knows.

    If it is higher than that of this claim, nothing was done.
    """
    more: int = 0
    """So much the folder has from now on beyond `amount`."""
    is_whole: bool = True
    """Whether the server knows of all folders what they have."""


START = ""
"""The place before all mail of a shard."""


class MailServer(Protocol):
    """The part of the server that carries mail."""

    def post(self, lease: Lease, mail: Mapping[int, Sequence[Post]]) -> None:
        """Keep mail of a shard, by receiver.

        Raises LeaseLost if another lease of the shard is held, and ExchangeDown if none
        is: it has ended, or the server has forgotten it.
        """
        ...

    def read(self, after: Mapping[int, str]) -> dict[int, list[Arrival]]:
        """The next mail of some shards, of each what is after a place."""
        ...

    def tell_safe(self, lease: Lease, safe: Mapping[int, Receipt], upto: str) -> None:
        """Tell senders what of theirs a shard has; forget its mail up to a place.

        Raises as `post`.
        """
        ...

    def safe_of(self, shard: int) -> dict[int, Receipt]:
        """What the receivers of a shard's mail have told, by receiver."""
        ...


class LeaseServer(Protocol):
    """The part of the server that knows the crawl, its machines, and their leases."""

    def begin(self, crawl: SharedCrawl) -> bool:
        """Begin a crawl; False if there is one."""
        ...

    def restore(self, crawl: SharedCrawl, homes: Mapping[int, str]) -> bool:
        """Tell a server without memory which crawl it had, and where its shards are.

        It gives shards without a home to no machine then, until all machines that are
        at work have told of theirs. False if it has a crawl.
        """
        ...

    def crawl(self) -> SharedCrawl | None:
        """The crawl. Raises StateError if another version of orbweb keeps it."""
        ...

    def run_id(self) -> str | None:
        """The id of the crawl, None without one."""
        ...

    def revision(self) -> int:
        """That of the crawl, 0 without one."""
        ...

    def steer(self, crawl: SharedCrawl) -> bool:
        """Change the settings, and take back that the crawl is at its end.

        False if the server has another crawl, or this one of such a revision already.
        """
        ...

    def remove(self, shards: int) -> None:
        """Remove the crawl, and all that is known of it."""
        ...

    def set_program(self, crawl: SharedCrawl, program: str) -> None:
        """Another version of orbweb goes on with the crawl."""
        ...

    def homes(self) -> dict[int, str]:
        """The folders that have the states of shards, by shard."""
        ...

    def tell_last(self, leases: Mapping[int, LastLease]) -> dict[int, LastLease]:
        """Tell which lease of each shard was the last one, and hear what is known.

        The one with the highest number counts, also for where the shard's state is.
        Without a crawl nothing is known.
        """
        ...

    def owners(self, shards: int) -> dict[int, Owner]:
        """The shards that are leased, with who runs them."""
        ...

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
        """Take a shard, which gets this folder as its home if it has none.

        None if it was taken, else who has it; NO_OWNER if the server has no crawl, or
        if it was restarted, and may have older data. It gives no shard then for as long
        as a lease lasts, in which machines tell what they know, but one to an owner
        whose lease before this one has not ended (`is_held`). `has_state` says that the
        shard's state is in the folder, which is its home then if none is known. The
        same owner takes a shard from itself. What was last told of the shard is
        forgotten. With `tokens`, those that this machine has had, the last lease of the
        shard must have been one of them, else STALE.
        """
        ...

    def take_over(self, lease: Lease, owner: Owner, ttl_s: float, home: str) -> bool:
        """Take a shard whose state was in the folder `home`, which is lost.

        What the shard has of the limit of pages counts as the owner's from now on: no
        page is given to any machine before the owner has claimed with it (`claim`).
        False if it is leased, if its home is another one by now, or if the server was
        restarted (see `take`).
        """
        ...

    def renew(self, leases: Iterable[Lease], owner: Owner, ttl_s: float) -> list[int]:
        """Make leases last `ttl_s` from now; the shards of which that is not possible.

        A lease that the server has forgotten is taken again, unless another machine has
        the shard. It is the last one of its shard then, and its folder the home, also
        at a server that has gone back to one before; but not if a newer one is known.
        """
        ...

    def release(self, leases: Iterable[Lease]) -> None:
        """Give leases back."""
        ...

    def report(self, leases: Mapping[Lease, bytes]) -> None:
        """Keep how shards stand, of those whose lease is held."""
        ...

    def reports(self) -> dict[int, bytes]:
        """How all shards stand, by what their last leases have told.

        A shard that was just taken has told nothing.
        """
        ...

    def last_reports(self) -> dict[int, bytes]:
        """The same, with what the lease before has told where the last one has not.

        What is there of a shard may be undone, so that it tells no end.
        """
        ...

    def set_snapshot(self, lease: Lease, taken_at: float) -> None:
        """Tell when the last snapshot of a shard was taken (seconds since the epoch).

        It changes nothing once the lease has ended.
        """
        ...

    def snapshots(self) -> dict[int, float]:
        """When the last snapshots of shards were taken."""
        ...

    def claim(self, lease: Lease, claim: Claim, shards: int) -> Answer | None:
        """Tell what a folder has of the limit, and get more of what no folder has.

        A claim that is made again gets the same. After a restart the server may have
        older data, so that it gives nothing before the folders of all `shards` have
        told what they have. None if the lease is not held, and nothing was done.
        """
        ...

    def set_over(self) -> None:
        """The crawl is at its end."""
        ...

    def is_over(self) -> bool: ...


class ExchangeServer(MailServer, LeaseServer, Protocol):
    """The whole server."""

    def close(self) -> None: ...
