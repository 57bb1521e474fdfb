"""Mail between the shards of a crawl: what is sent, and the protocol that loses none.

    sender      outbox row n for a shard, in the commit of the page's record
    carrier     may lose, repeat and reorder messages, and die: it is not believed
    receiver    takes n from a sender only after n - 1, and stores n in the same commit
    receiver    tells n to the sender once that commit is safe on the disk
    sender      deletes what is safe there

Taking a message adds URLs, which changes nothing for those that are known, so a message
that is taken twice does no harm either.

A state may go back in time: by a power cut, which takes the last commits, or by a copy
that is put in its place. A number that is given twice would then lose links without a
trace. Hence the *epoch*: each opening of a shard begins a new one, which is on the disk
before the first message of it is sent, and numbers what waits in the outbox from 1 on.
A receiver takes a higher epoch from 1 on, and nothing of a lower one.

The crawl is at its end when no shard has work and, for each pair, what was sent equals
what was taken, each as its own commit has it (`is_over`). A shard that was idle when it
was looked at can only have got work by a message that was sent after that; the first
such message was sent by a shard before it was looked at, and then the numbers of that
pair differ. So one look at each shard is enough, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

from crawler.model.crawl import Discovered
from crawler.model.errors import StateError
from crawler.model.metadata import API_REQUEST, IMPORT_DEPTH, SEED_REDIRECTS

TO_ALL = frozenset({SEED_REDIRECTS})
"""Metadata that all shards need: they widen the scope."""
TO_OWNER = frozenset({IMPORT_DEPTH, API_REQUEST})
"""Metadata about a URL, which the shard that owns the URL needs as well."""


class Value(NamedTuple):
    """Metadata under (kind, key)."""

    kind: str
    key: str
    value: bytes


class Content(Struct, frozen=True, array_like=True):
    """The content of a message: all that one commit has for one shard."""

    found: tuple[Discovered, ...] = ()
    values: tuple[Value, ...] = ()
    """They are taken before the URLs, some of which they concern."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Content).decode


class Mark(NamedTuple):
    """How far the mail of one shard to another has come."""

    epoch: int = 0
    number: int = 0


class Message(NamedTuple):
    """One message, as a carrier has it."""

    source: int
    mark: Mark
    body: bytes


class Mailbox(Protocol):
    """The mail of one shard, in its state."""

    shard: int
    epoch: int

    def outgoing(self, to: int, after: int, limit: int) -> list[Message]:
        """What is committed for a shard, from number `after` + 1 on."""
        ...

    def accept(self, message: Message) -> Content | None:
        """The content of the message if it is the next one of its sender, else None.

        The caller adds it before the next commit, which stores that it was taken.
        """
        ...

    def sent(self) -> Mapping[int, Mark]:
        """By receiver: the last message of the last commit."""
        ...

    def taken(self) -> Mapping[int, Mark]:
        """By sender: the last message that was taken in the last commit."""
        ...

    def expected(self, source: int) -> Mark:
        """The last message that was taken of a sender, committed or not."""
        ...

    def acknowledged(self, by: int, mark: Mark) -> None:
        """The receiver has this message, and all before it, safe on the disk."""
        ...


def mail_is_lost(shard: int, source: int) -> StateError:
    """What is raised where a shard lacks mail that its sender has deleted."""
    return StateError(
        f"shard {shard} of the crawl has lost what shard {source} sent it: its state "
        "is an old copy; restore those of all shards from one copy, or begin anew with "
        "--fresh"
    )


class Report(Struct, frozen=True):
    """How a shard stands, by one commit of its own."""

    shard: int
    epoch: int
    is_idle: bool
    """Nothing is leased, and nothing queued that it would wait for."""
    sent: dict[int, Mark] = {}
    taken: dict[int, Mark] = {}
    is_limited: bool = False
    """Its pages wait, because it has no more of the crawl's `limits.max_pages`."""
    pages: int = 0
    received_bytes: int = 0
    """Body bytes, also those of earlier runs, as are the pages."""


def is_over(reports: Mapping[int, Report], shards: int) -> bool:
    """Whether the crawl of so many shards is at its end: no URL will ever come again.

    `reports` are the last ones. A shard without one may have anything.
    """
    if len(reports) < shards or not all(one.is_idle for one in reports.values()):
        return False
    return all(
        mark.number == 0 or reports[to].taken.get(source) == mark
        for source, report in reports.items()
        for to, mark in report.sent.items()
    )
