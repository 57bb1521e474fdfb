"""Carries mail over the server of an exchange, between shards on several machines.

What is in an outbox is posted, and posted again while the receiver does not say that it
has it: when the server was away, since it may have lost it, and else after a time,
which grows while the receiver is away. No more than WINDOW messages for a receiver are
under way, so that a server holds little for a machine that is switched off.

What a receiver has on its disk is not posted again. It stays in the outbox until the
receiver has it also without that disk: where shards have snapshots (`snapshots.py`),
until it is in one. A receiver that was opened again says so, and gets all that it has
not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from crawler.fleet.exchange_server import (
    START,
    Arrival,
    ExchangeDown,
    Lease,
    MailServer,
    Post,
    Receipt,
)
from crawler.frontier.mail import Mailbox, Mark, Message, mail_is_lost

POLL_S = 0.05
"""How often the server is asked for mail, once for all shards of the process (s)."""
WINDOW = 256
BATCH = 64
"""Messages for a receiver that are posted at once."""
RESEND_S = 15.0
"""Three times as long as it takes until a receiver that works has told (seconds)."""
MAX_RESEND_S = 600.0
PAUSE_S = 1.0
"""How long nothing is asked of a server that is away (seconds)."""


class _Way:
    """The way from one shard to another: how far its mail has come."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.acked = 0
        self.posted = 0
        self.opening = 0
        """That of the receiver, as it has told last; 0 if it has told nothing."""
        self.moved_at = 0.0
        """When the receiver had told something new, or was first sent something."""
        self.patience = RESEND_S

    def tell(self, receipt: Receipt, now: float) -> None:
        """The receiver has told what it has taken."""
        mark = receipt.taken
        number = mark.number if mark.epoch == self.epoch else 0
        if self.opening not in (0, receipt.opening) and number < self.acked:
            self.acked = self.posted = number
        elif number > self.acked:
            self.acked = number
            self.posted = max(self.posted, self.acked)
            self.moved_at, self.patience = now, RESEND_S
        self.opening = receipt.opening

    def repeat(self, now: float) -> None:
        """Post again what the receiver has said nothing of for too long."""
        if self.posted > self.acked and now >= self.moved_at + self.patience:
            self.posted, self.moved_at = self.acked, now
            self.patience = min(MAX_RESEND_S, 2 * self.patience)


class ServerCarrier:
    """Carries the mail of the shards of one process, which hold `leases`, by shard.

    `clock` is in seconds. `kept`: by shard and sender, what is in the last snapshot;
    None without snapshots. What the server can't do now is done later; so only
    LeaseLost is raised, and StateError for mail that is lost for ever.
    """

    def __init__(
        self,
        server: MailServer,
        leases: Mapping[int, Lease],
        clock: Callable[[], float],
        poll_s: float = POLL_S,
        kept: Mapping[int, Mapping[int, Mark]] | None = None,
    ) -> None:
        self._server = server
        self._leases = leases
        self._clock = clock
        self._poll_s = poll_s
        self._kept = kept
        self._read_at = self._away_until = -1.0
        self._ways: dict[tuple[int, int], _Way] = {}
        self._epochs: dict[int, int] = {}
        """By shard that receives: the opening for which its mail is read."""
        self._places = dict.fromkeys(leases, START)
        self._came: dict[int, list[Arrival]] = {}
        self._unsafe: dict[int, deque[Arrival]] = {one: deque() for one in leases}
        self._told: dict[int, dict[int, Receipt]] = {one: {} for one in leases}

    def send(self, mail: Mailbox) -> None:
        now = self._clock()
        if now < self._away_until:
            return
        posts: dict[int, list[Post]] = {}
        for to, last in mail.sent().items():
            way = self._way(mail, to)
            way.repeat(now)
            if last.number > way.posted and (found := self._next(mail, to, way)):
                posts[to] = found
        if posts and self._ask(lambda: self._server.post(self._of(mail), posts)):
            for to, found in posts.items():
                way = self._way(mail, to)
                if way.posted == way.acked:
                    way.moved_at = now
                way.posted = found[-1].mark.number

    def receive(self, mail: Mailbox) -> Sequence[Message]:
        now = self._clock()
        if self._epochs.get(mail.shard) != mail.epoch:  # it was opened again
            self._epochs[mail.shard] = mail.epoch
            self._begin_anew(mail.shard)
        if now >= max(self._away_until, self._read_at + self._poll_s):
            self._read_at = now
            self._ask(self._read)
        arrivals = self._came.pop(mail.shard, [])
        for arrival in arrivals:
            self._heed(mail, arrival.post)
        self._unsafe[mail.shard] += arrivals
        return [Message(post.source, post.mark, post.body) for _, post in arrivals]

    def tell_safe(self, mail: Mailbox, safe: Mapping[int, Mark]) -> None:
        told = self._told[mail.shard]
        receipts = self._receipts(mail, safe)
        news = {
            source: one for source, one in receipts.items() if told.get(source) != one
        }
        waiting, upto = self._unsafe[mail.shard], START
        while waiting and waiting[0].post.mark <= safe.get(
            waiting[0].post.source, Mark()
        ):
            upto = waiting.popleft().place
        if (news or upto) and self._clock() >= self._away_until:
            lease = self._of(mail)
            if self._ask(lambda: self._server.tell_safe(lease, news, upto)):
                told.update(news)

    def acknowledgements(self, mail: Mailbox) -> Sequence[tuple[int, Mark]]:
        found: dict[int, Receipt] = {}
        now = self._clock()
        if now >= self._away_until:
            self._ask(lambda: found.update(self._server.safe_of(mail.shard)))
        for by, receipt in found.items():
            self._way(mail, by).tell(receipt, now)
        return [(by, receipt.kept) for by, receipt in found.items()]

    def close(self) -> None:
        """The server is closed by who has made it."""

    # Inside

    def _receipts(self, mail: Mailbox, safe: Mapping[int, Mark]) -> dict[int, Receipt]:
        kept = safe if self._kept is None else self._kept.get(mail.shard, {})
        return {
            source: Receipt(mark, kept.get(source, Mark()), mail.epoch)
            for source, mark in safe.items()
        }

    def _of(self, mail: Mailbox) -> Lease:
        return self._leases[mail.shard]

    def _way(self, mail: Mailbox, to: int) -> _Way:
        way = self._ways.get((mail.shard, to))
        if way is None or way.epoch != mail.epoch:
            way = self._ways[mail.shard, to] = _Way(mail.epoch)
        return way

    def _next(self, mail: Mailbox, to: int, way: _Way) -> list[Post]:
        """What is to be posted next, as far as the window lets it."""
        limit = min(BATCH, way.acked + WINDOW - way.posted)
        if limit <= 0:
            return []
        first = mail.outgoing(to, 0, 1)
        return [
            Post(one.source, one.mark, first[0].mark.number, one.body)
            for one in mail.outgoing(to, way.posted, limit)
        ]

    def _read(self) -> None:
        for shard, arrivals in self._server.read(self._places).items():
            self._places[shard] = arrivals[-1].place
            self._came.setdefault(shard, []).extend(arrivals)

    def _heed(self, mail: Mailbox, post: Post) -> None:
        """Notice mail that is lost, and mail that comes again.

        A sender deletes what the receiver has told to be on its disk. If the receiver
        lacks that, its state is an older copy.
        """
        last = mail.expected(post.source)
        is_old = post.mark <= last
        if is_old:  # its sender has not heard that it has come
            self._told[mail.shard].pop(post.source, None)
            return
        next_one = last.number + 1 if post.mark.epoch == last.epoch else 1
        if post.first > next_one:
            raise mail_is_lost(mail.shard, post.source)

    def _ask(self, what: Callable[[], None]) -> bool:
        """Ask the server; False if it is away, and has perhaps lost what it had."""
        try:
            what()
        except ExchangeDown:  # the parent tells the user
            self._away_until = self._clock() + PAUSE_S
            self._forget()
            return False
        return True

    def _forget(self) -> None:
        for way in self._ways.values():
            way.posted = way.acked
        for shard in self._leases:
            self._begin_anew(shard)

    def _begin_anew(self, shard: int) -> None:
        """Read the mail of a shard from its beginning, and tell all that it has."""
        self._places[shard] = START
        self._came.pop(shard, None)
        self._unsafe[shard].clear()
        self._told[shard].clear()
