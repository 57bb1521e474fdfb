"""The exchange of mail of the shards that run in this process: one greenlet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import hub
from crawler.engine.shard_link import ShardLink
from crawler.fleet.carrier import Carrier
from hub.event import Event

POLL_S = 0.02
"""How often mail is looked for (seconds)."""
EAGER_POLL_S = 0.002
EAGER_S = 0.1
"""How often, and for how long, a process looks whose shards have no work left.

Most often those of another process are about to find some, or the crawl has ended.
"""
SAFE_EVERY_S = 5.0
"""How often what was taken is brought to the disk, and told to its senders (seconds).

Senders keep so much of what they have sent, and opening a shard sends it again.
"""


class Exchange:
    """Takes mail for `links`, until it is killed.

    `looked` is called after each round. `failed` is called with what ends it.
    """

    def __init__(
        self,
        carrier: Carrier,
        links: Sequence[ShardLink],
        looked: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._carrier = carrier
        self._links = links
        self._looked = looked
        self._failed = failed
        self._is_finished = Event()
        for link in links:
            link.when_finished(self._is_finished.set)

    def run(self) -> None:
        """Exchange mail for ever."""
        told_at = hub.get_hub().loop.now()
        eager_until = 0.0
        try:
            while True:
                for link in self._open():
                    self._carrier.send(link.mail)
                    messages = self._carrier.receive(link.mail)
                    if link.is_open:
                        link.take(messages)
                now = hub.get_hub().loop.now()
                if now >= told_at + SAFE_EVERY_S:
                    told_at = now
                    self._acknowledge()
                self._looked()
                eager_until = self._wait(eager_until)
        except Exception as error:
            self._failed(error)

    def _wait(self, eager_until: float) -> float:
        """Wait until it is time to look again; until when to look eagerly."""
        now = hub.get_hub().loop.now()
        interval = EAGER_POLL_S if now < eager_until else POLL_S
        if not self._is_finished.wait(interval):
            return eager_until
        self._is_finished.clear()
        return hub.get_hub().loop.now() + EAGER_S

    def _open(self) -> Iterator[ShardLink]:
        """The links that are open when it is their turn: a carrier may wait."""
        return (link for link in [*self._links] if link.is_open)

    def _acknowledge(self) -> None:
        for link in self._open():
            self._carrier.tell_safe(link.mail, link.mail.make_safe())
            marks = self._carrier.acknowledgements(link.mail)
            for shard, mark in marks if link.is_open else ():
                link.mail.acknowledged(shard, mark)
