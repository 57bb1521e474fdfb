"""The scores of all hosts: some in memory, the others in the store. No I/O of its own.

A trap is none the cheaper for hosts that take turns, nor for a run that is stopped and
resumed. After a kill what was in memory begins anew; what was cut stays cut in any
case.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from crawler.model.metadata import TRAPS, TRAPS_OUT_OF_MEMORY, KeyValue
from crawler.policy.traps.scores import Cut, Scores
from crawler.policy.traps.unit import Unit

MAX_WEIGHT = 2**20
"""The maximum size of all scores in memory, in checksums of some 64 bytes.

Beyond it, the scores of the hosts that were idle for longest go to the store; they are
loaded again when they are needed.
"""

_cuts_of = msgspec.msgpack.Decoder(dict[str, Cut]).decode


class ScoreTable:
    """Scores by host."""

    def __init__(self, metadata: KeyValue, max_weight: int = MAX_WEIGHT) -> None:
        self._metadata = metadata
        self._max_weight = max_weight
        self._hosts: OrderedDict[str, Scores] = OrderedDict()
        self.weight = 0
        """Size of the hosts in memory, in checksums."""
        self._last = "", Scores()

    def __len__(self) -> int:
        """How many hosts are in memory."""
        return len(self._hosts)

    def of(self, host: str) -> Scores:
        """The scores of the host, out of the store if need be."""
        if host == self._last[0]:  # most often
            return self._last[1]
        self.weight += self._last[1].weigh()
        scores = self._hosts.get(host)
        if scores is None:
            scores = self._hosts[host] = self._restored(host)
            self.weight += scores.weigh()
        else:
            self._hosts.move_to_end(host)
        self._last = host, scores
        if self.weight > self._max_weight:
            self._make_room()
        return scores

    def cut(self, host: str, scores: Scores, unit: Unit) -> bool:
        """Cut a unit of the host, also in the store.

        Returns False if it was cut while this page was being fetched.
        """
        if unit.name in scores.cuts:
            return False
        rule = f"limits.traps: {unit.name} gave nothing new, after {unit.fetched} pages"
        scores.cuts[unit.name] = Cut(rule, unit.entry)
        self._metadata.set(TRAPS, host, msgspec.msgpack.encode(scores.cuts))
        if unit is scores.new_names:  # it means nothing without the open names
            self._save(host, scores)
        return True

    def save(self) -> None:
        """Keep the scores in memory for a resume."""
        for host, scores in self._hosts.items():
            self._save(host, scores)

    def _restored(self, host: str) -> Scores:
        """What the store has of a host that is not in memory."""
        encoded = self._metadata.get(TRAPS, host)
        cuts = {} if encoded is None else _cuts_of(encoded)
        saved = self._metadata.get(TRAPS_OUT_OF_MEMORY, host)
        return Scores(cuts) if saved is None else Scores.restored(saved, cuts)

    def _make_room(self) -> None:
        """Evict the hosts that were idle for longest.

        A host with a request in flight stays.
        """
        for _ in range(len(self._hosts)):
            if self.weight <= self._max_weight:
                break
            host, scores = self._hosts.popitem(last=False)
            if scores.under_way or host == self._last[0]:
                self._hosts[host] = scores
                continue
            self.weight -= scores.weighed
            self._save(host, scores)

    def _save(self, host: str, scores: Scores) -> None:
        if scores.changed:
            self._metadata.set(TRAPS_OUT_OF_MEMORY, host, scores.saved())
            scores.changed = False
