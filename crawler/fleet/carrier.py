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

    So it has nothing to send: what is committed can be read. The state of each shard is
    looked at once a round, for all shards of this process: a round ends when one of
    them receives again.
    """

    def __init__(self, folder: Path, shards: int) -> None:
        self._readers = [
            OutboxReader(state_folder(shard_folder(folder, source)), source)
            for source in range(shards)
        ]
        self._served: set[int] = set()
        """The shards that have received in this round."""

    def send(self, mail: Mailbox) -> None:
        """What is committed can be read."""

    def receive(self, mail: Mailbox) -> list[Message]:
        if not self._served or mail.shard in self._served:
            self._served.clear()
            for reader in self._readers:
                reader.look()
        self._served.add(mail.shard)
        return [
            message
            for source, reader in enumerate(self._readers)
            if source != mail.shard
            for message in reader.messages(mail.shard, mail.expected(source))
        ]

    def tell_safe(self, mail: Mailbox, safe: Mapping[int, Mark]) -> None:
        """It is in the state of the shard, and can be read."""

    def acknowledgements(self, mail: Mailbox) -> list[tuple[int, Mark]]:
        told = [
            (source, reader.safe(mail.shard))
            for source, reader in enumerate(self._readers)
            if source != mail.shard
        ]
        return [(shard, mark) for shard, mark in told if mark is not None]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
