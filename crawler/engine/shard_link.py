"""How the crawl of a shard is joined with those of the other shards. No I/O of its own.

The mail itself is the store's (`frontier/mail.py`); here it meets the frontier, the
scope and the limits of the crawl. Nothing here imports the hub, so what a message
brings is taken in one step, and belongs to one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import Struct

from crawler.engine.committer import Committer
from crawler.frontier.frontier import Frontier
from crawler.frontier.mail import Mailbox, Mark, Message, Report, Value
from crawler.frontier.store import Store
from crawler.model.metadata import SEED_REDIRECTS, SESSION
from crawler.model.shards import Owners, Session, Shard
from crawler.policy.quotas import Grants, Quotas
from crawler.policy.scope import Scope

if TYPE_CHECKING:
    from crawler.engine.machinery import Machinery


class ShardMail(Mailbox, Protocol):
    """The mail of a shard, as its store has it."""

    def set_taken(self, value: Value) -> None:
        """Keep metadata that another shard has sent; it goes no further."""
        ...

    def make_safe(self) -> Mapping[int, Mark]:
        """Bring what is committed to the disk; by sender, what is safe there now."""
        ...

    def guard(self, may_commit: Callable[[], None]) -> None:
        """Have this called before each commit; what it raises prevents the commit."""
        ...

    def sync(self) -> None:
        """Bring what is committed to the disk."""
        ...

    @property
    def is_committed(self) -> bool:
        """Whether nothing has changed since the last commit."""
        ...


class ShardLink:
    """The end of a shard's crawl at which the others are."""

    def __init__(
        self,
        mail: ShardMail,
        frontier: Frontier,
        committer: Committer,
        scope: Scope,
        quotas: Quotas,
    ) -> None:
        self.mail = mail
        self._frontier = frontier
        self._committer = committer
        self._scope = scope
        self._quotas = quotas
        self.at_end: Callable[[], None] = lambda: None
        """Called at the end of the run, when all of it is committed."""
        frontier.awaits_mail = True

    def when_finished(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when the shard has no work left. It must not switch."""
        self._frontier.when_finished = tell

    @property
    def is_open(self) -> bool:
        """Whether messages may still be taken."""
        return self._frontier.awaits_mail and not self._frontier.closed

    def take(self, messages: Iterable[Message]) -> None:
        """Take messages, those that are the next of their senders."""
        for message in messages:
            content = self.mail.accept(message)
            if content is None:
                continue
            for value in content.values:
                self.mail.set_taken(value)
                if value.kind == SEED_REDIRECTS:
                    self._scope.add_redirected(value.value.decode(), value.key)
            self._frontier.add(content.found)

    def report(self) -> Report:
        """How the shard stands, by its last commit, which may be made now."""
        is_idle = self._frontier.finished
        if is_idle:
            self._quotas.release()
            if not self.mail.is_committed:
                self._committer.commit()
            is_idle = self._frontier.finished
        return Report(
            self.mail.shard,
            self.mail.epoch,
            is_idle,
            dict(self.mail.sent()),
            dict(self.mail.taken()),
            is_limited=self._frontier.images_only,
            pages=self._quotas.pages,
            received_bytes=self._quotas.received_bytes,
        )

    def end(self) -> None:
        """Take no message any more; with no URL left the run is at its end."""
        self._frontier.end_mail()


class ShardParts(Struct, frozen=True):
    """What the crawl of a shard is opened with."""

    shard: Shard
    grants: Grants
    elapsed_s: float = 0.0
    """How long the whole crawl has run (`limits.max_time`)."""
    session: Session | None = None
    """What the crawl has logged in to, if it did: a shard does not do that itself."""

    def take_session(self, store: Store) -> None:
        """Have the cookies of the login, which was made once for all shards.

        A shard that has taken them keeps what servers have made of them since.
        """
        session = self.session
        if session is None or store.get(SESSION, "") == session.id.encode():
            return
        for value in session.values:
            store.set(*value)
        store.set(SESSION, "", session.id.encode())

    def own(self, seeds: Sequence[str]) -> list[str]:
        """Those of the crawl's seeds that the shard crawls."""
        return Owners(self.shard.layout).own(seeds, self.shard.number)

    def link(self, store: Store, parts: Machinery) -> ShardLink:
        """The link of the crawl that is made of these parts; `store` is a shard's."""
        mail = cast(ShardMail, store)
        return ShardLink(
            mail, parts.frontier, parts.committer, parts.scope, parts.quotas
        )
