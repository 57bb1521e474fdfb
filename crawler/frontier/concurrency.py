"""How many requests at once, and which hosts may use how many of the slots.

Theory. A server that does not answer costs a socket and nothing else, but a request
that waits for it, for ten seconds and more, uses a slot. A twentieth of the hosts can
use most of the slots in this way, and hosts that would answer at once wait for those
that never will. No rule can tell beforehand which host is silent. So a request that
lasts longer than SLOW_S returns its slot and *borrows* one of `slow_concurrency`
others, one for each host. There are three classes of hosts:

    FAST    the last request took less than SLOW_S: it gets a slot
    NEW     no request was made yet: it gets a slot, as long as half of the slots stay
            free even if no new host answers
    SLOW    the last request took longer, or one is taking longer: it borrows a slot

A further request to a host with a borrowed slot, and a request to a slow host when none
is left to borrow, is of the slot class OVERFLOW or SLOW and gets one of half of the
slots. To one host there are never more than `concurrency` requests at once.

Where no host of a better class has work, all slots are open to the others. The class of
a host changes with each response, so a host that becomes fast is treated as fast.

No I/O, no clock.
"""

from __future__ import annotations

from typing import Literal

SLOW_S = 1.0
"""The time (seconds, start to end) after which a request counts as slow.

Nine in ten pages of the web are faster, and they should not queue behind the tenth.
"""
NEW_SLOW_S = 0.5
"""The same for a host that has not answered yet: it is less likely to answer."""

HostClass = Literal[0, 1, 2]
FAST: HostClass = 0
NEW: HostClass = 1
SLOW: HostClass = 2

SlotClass = Literal[0, 1, 2, 3]
"""The class of the host, or OVERFLOW for a host that holds a borrowed slot."""
OVERFLOW: SlotClass = 3
SLOT_CLASSES: tuple[SlotClass, ...] = (FAST, NEW, SLOW, OVERFLOW)


class Slots:
    """The slots of one crawl: `concurrency`, and `slow` ones that can be borrowed."""

    def __init__(self, concurrency: float, slow: float) -> None:
        self._size = concurrency
        self._half = max(1, concurrency // 2)
        self._max_borrowed = slow
        self.used = 0
        """Slots in use, borrowed ones not counted."""
        self.borrowed = 0
        self.new = 0
        """How many of those in use are used by hosts that may turn out to be silent."""

    @property
    def left_to_borrow(self) -> float:
        return self._max_borrowed - self.borrowed

    def available(self, slot_class: SlotClass, contended: bool) -> bool:
        """Whether a request of this class may start.

        `contended`: a host of a better class has work, too.
        """
        if slot_class == SLOW and self.borrowed < self._max_borrowed:
            return True
        # A host of the class OVERFLOW uses a borrowed slot beside these.
        used = self.used + (slot_class == OVERFLOW)
        if slot_class == FAST or not contended:
            return used < self._size
        if slot_class == NEW:
            lost = self.borrowed + self.new  # if none of them answers
            return lost < self._max_borrowed + self._half and used < self._size
        return used < self._half

    def acquire(self, slot_class: SlotClass) -> bool:
        """Use a slot for a request of this class; returns whether it is borrowed."""
        if slot_class == SLOW and self.borrowed < self._max_borrowed:
            self.borrowed += 1
            return True
        self.used += 1
        self.new += slot_class == NEW
        return False

    def release(self, host_class: HostClass, borrowed: bool) -> None:
        """Return a slot that a host of this class has used."""
        if borrowed:
            self.borrowed -= 1
        else:
            self.used -= 1
            self.new -= host_class == NEW

    def borrow(self, host_class: HostClass) -> bool:
        """Exchange a slot that a host of this class uses for a borrowed one.

        False if none is left to borrow.
        """
        if self.borrowed >= self._max_borrowed:
            return False
        self.release(host_class, borrowed=False)
        self.borrowed += 1
        return True
