"""The pages that wait for the extraction processes: how many, and how many bytes.

Theory. Text and fields take ten times the CPU of all the rest, so pages come faster
than they are extracted. No worker waits for its page (`pending.py`): it takes the next
URL, until the backlog is full. Then no URL is leased before half of it is done. So the
crawl works in bursts of a hundred pages, and sleeps in between, instead of being woken
for each: a page in a burst costs what a page costs in a crawl without text, and one
alone nearly twice as much, since its data have left the caches.

The bound holds for the memory, too: no body is received for which there is no place,
beyond those under way when the backlog became full.
"""

from __future__ import annotations

from hub.event import Event

PAGES_OF_A_PROCESS = 64
MORE_PAGES = 64
"""Each process has its own ahead (`sandbox/pool.py`), and there is a burst beside."""
MAX_BYTES = 16 * 2**20
"""The size of the bodies in it."""


class Backlog:
    """Counts the pages of one crawl that wait. Only the two `wait` methods switch."""

    def __init__(self, processes: int, max_bytes: int = MAX_BYTES) -> None:
        self._max_pages = PAGES_OF_A_PROCESS * processes + MORE_PAGES
        self._max_bytes = max_bytes
        self._bytes = 0
        self._shorter = Event()
        self.pages = 0
        self.is_full = False
        """No URL should be leased: it became full, and is not half empty yet."""

    def add(self, size: int) -> None:
        """A page with a body of `size` bytes begins to wait."""
        self.pages += 1
        self._bytes += size
        if self.pages >= self._max_pages or self._bytes >= self._max_bytes:
            self.is_full = True

    def remove(self, size: int) -> None:
        """It has its answer, or has been given up."""
        self.pages -= 1
        self._bytes -= size
        if self.is_full:
            self.is_full = (
                self.pages > self._max_pages // 2 or self._bytes > self._max_bytes // 2
            )
        if not self.is_full:  # nothing that a worker waits for has come before
            self._shorter.set()
            self._shorter.clear()

    def wait(self) -> None:
        """Wait until one has left, and it is not full; at once if it is empty."""
        if self.pages:
            self._shorter.wait()

    def wait_while_full(self) -> None:
        """Wait until URLs may be leased."""
        while self.is_full:
            self._shorter.wait()
