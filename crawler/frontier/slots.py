"""How many requests at once, and who may hold how many of the places: no I/O, no clock.

Theory. A server that does not answer costs a socket and nothing else, but while it is
waited for, ten seconds and more, it holds a place; a twentieth of the hosts can so hold
most of the places, and hosts that would answer at once wait for those that never will.
No rule can tell beforehand which host is silent. So a place is *lent*: a host that
keeps us waiting longer than SLOW_S gives its place back and holds one of
`slow_concurrency` others, one for each host. Three kinds of hosts:

    PROMPT      it took less than SLOW_S the last time     one of the places
    UNPROVEN    nothing was asked yet                      the same, as long as half of the places
                                                           stay free whatever it turns out to be
    SLOW        it took longer, or is taking longer now    a lent place; a further request to the
                                                           same host, or where none is left to lend,
                                                           one of half of the places. To one host
                                                           there are never more than `concurrency`

Where no host of a better kind has anything to ask for, all places are for the others,
too. What a host is changes with each answer, so one that becomes quick is quick again.
"""

from __future__ import annotations

from typing import Literal

SLOW_S = 1.0
"""Longer than this, from the start of a request to its end, is slow: the nine in ten of
the web's pages that come sooner should not queue behind the tenth."""
DOUBT_S = 0.5
"""The same for a host that has not answered yet: it is more likely than others not
to."""

Kind = Literal[0, 1, 2]
PROMPT: Kind = 0
UNPROVEN: Kind = 1
SLOW: Kind = 2

Lane = Literal[0, 1, 2, 3]
"""Hosts of one kind wait in one lane; those that hold a lent place wait apart, in
FURTHER."""
FURTHER: Lane = 3
LANES: tuple[Lane, ...] = (PROMPT, UNPROVEN, SLOW, FURTHER)


class Slots:
    """The places of one crawl: `concurrency`, and `slow` ones that can be lent beside
    them."""

    def __init__(self, concurrency: float, slow: float) -> None:
        self._all = concurrency
        self._half = max(1, concurrency // 2)
        self._slow = slow
        self.taken = 0
        self.lent = 0
        self.unproven = 0
        """Of those taken: by hosts that may turn out to be silent."""

    @property
    def left_to_lend(self) -> float:
        return self._slow - self.lent

    def free(self, lane: Lane, rivals: bool) -> bool:
        """Whether a host of this lane may have a place. `rivals`: better ones want one,
        too."""
        if lane == SLOW and self.lent < self._slow:
            return True
        taken = self.taken + (
            lane == FURTHER
        )  # beside those taken the host holds a lent one
        if lane == PROMPT or not rivals:
            return taken < self._all
        if lane == UNPROVEN:
            lost = self.lent + self.unproven  # if none of them answers
            return lost < self._slow + self._half and taken < self._all
        return taken < self._half

    def take(self, lane: Lane) -> bool:
        """Give a place to a host of this lane; whether it is a lent one."""
        if lane == SLOW and self.lent < self._slow:
            self.lent += 1
            return True
        self.taken += 1
        self.unproven += lane == UNPROVEN
        return False

    def end(self, kind: Kind, lent: bool) -> None:
        """Take a place back from a host of this kind."""
        if lent:
            self.lent -= 1
        else:
            self.taken -= 1
            self.unproven -= kind == UNPROVEN

    def lend(self, kind: Kind) -> bool:
        """Change a place that a host of this kind has taken for a lent one, if one is
        left."""
        if self.lent >= self._slow:
            return False
        self.end(kind, lent=False)
        self.lent += 1
        return True
