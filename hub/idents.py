"""`IdentRegistry`: small numbers for objects, which are used again."""

from heapq import heappop, heappush
from weakref import WeakKeyDictionary, finalize

__all__ = ["IdentRegistry"]


class IdentRegistry:
    """Gives each object a number that no other living one has, the smallest there is.

    It keeps none of them alive.
    """

    def __init__(self) -> None:
        self._idents: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._free: list[int] = []
        self._next = 0

    def get_ident(self, thing: object) -> int:
        """Return the number of ``thing``, always the same."""
        ident = self._idents.get(thing)
        if ident is None:
            if self._free:
                ident = heappop(self._free)
            else:
                ident, self._next = self._next, self._next + 1
            self._idents[thing] = ident
            finalize(thing, heappush, self._free, ident).atexit = False
        return ident

    def __len__(self) -> int:
        """How many living objects have a number."""
        return len(self._idents)
