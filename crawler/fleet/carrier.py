"""What carries the mail between shards. It is not believed (`frontier/mail.py`).

A carrier may lose, repeat and reorder messages, and may come back without any memory:
what it has not brought to a receiver stays in the outbox of the sender. So it has no
state of its own to keep. `tests/crawler/fleet/test_carrier_contract.py` runs over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from crawler.frontier.mail import Mailbox, Mark, Message
from crawler.frontier.sqlite.database import shard_folder
from crawler.frontier.sqlite.outbox_reader import OutboxReader
from crawler.workspace.paths import state_folder


class Carrier(Protocol):
    """Carries the mail of the shards of one crawl. Every method may raise a Stop."""

    def send(self, mail: Mailbox) -> None:
        """Carry on what the shard has committed for others."""
        ...

    def receive(self, mail: Mailbox) -> Sequence[Message]:
        """What has come for the shard; some of it may not be the next to be taken."""
        ...

    def tell_safe(self, mail: Mailbox, safe: Mapping[int, Mark]) -> None:
        """Tell the senders of the shard's mail what of theirs is on its disk."""
        ...

    def acknowledgements(self, mail: Mailbox) -> Sequence[tuple[int, Mark]]:
        """What the receivers of the shard's mail have told: (shard, mark)."""
        ...

    def close(self) -> None: ...


class LocalCarrier:
    """Reads the outboxes of the other shards, whose states are in the same `folder`.

    So it has nothing to send: what is committed can be read.
    """

    def __init__(self, folder: Path, shards: int) -> None:
        self._folder = folder
        self._shards = shards
        self._readers: dict[tuple[int, int], OutboxReader] = {}

    def send(self, mail: Mailbox) -> None:
        """What is committed can be read."""

    def receive(self, mail: Mailbox) -> list[Message]:
        return [
            message
            for reader, source in self._of(mail.shard)
            for message in reader.messages(mail.expected(source))
        ]

    def tell_safe(self, mail: Mailbox, safe: Mapping[int, Mark]) -> None:
        """It is in the state of the shard, and can be read."""

    def acknowledgements(self, mail: Mailbox) -> list[tuple[int, Mark]]:
        told = [(source, reader.safe()) for reader, source in self._of(mail.shard)]
        return [(shard, mark) for shard, mark in told if mark is not None]

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _of(self, shard: int) -> list[tuple[OutboxReader, int]]:
        """The readers of a shard, each with the other shard whose state it reads."""
        return [
            (self._reader(source, shard), source)
            for source in range(self._shards)
            if source != shard
        ]

    def _reader(self, source: int, to: int) -> OutboxReader:
        reader = self._readers.get((source, to))
        if reader is None:
            state = state_folder(shard_folder(self._folder, source))
            reader = self._readers[source, to] = OutboxReader(state, source, to)
        return reader
