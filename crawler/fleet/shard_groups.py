"""Groups of shards: a process runs each, and another one after it, until they end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import hub
from crawler.fleet.end import EndOfCrawl
from crawler.fleet.exchange_server import LeaseLost
from crawler.fleet.messages import RESTARTS
from crawler.fleet.process import Process
from crawler.model.errors import Stop

MAX_DEATHS = 10
"""Deaths of processes in a row after which the crawl is given up.

Nothing was fetched between them. A URL that kills its process ends after three.
"""


class ProcessFailed(Stop):
    """The crawl of a process cannot go on."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class Parent(Protocol):
    """What runs the processes of the groups."""

    @property
    def is_stopped(self) -> bool:
        """Whether no further process is to be started."""
        ...

    def prepare(self, shards: Iterable[int]) -> None:
        """Wait until a process may run the shards, or none is to be started."""
        ...

    def run_process(self, shards: Iterable[int]) -> Process:
        """Run the shards in a process, until that has told all it has to tell."""
        ...

    def begun_again(self, shards: Iterable[int]) -> None:
        """The runs of the shards go on, also of those that have ended."""
        ...

    def warn(self, text: str) -> None:
        """Tell the user."""
        ...

    def stop(self, stop: Stop) -> None:
        """End the processes: the crawl cannot go on."""
        ...


class _Group:
    """Shards that run in one process."""

    def __init__(self, shards: Iterable[int]) -> None:
        self.shards = frozenset(shards)
        self.left = set(shards)
        """Those that have not ended."""
        self.is_kept = False
        """Whether a greenlet runs them."""


class ShardGroups:
    """Keeps the shards of each group running until they have ended.

    `end` hears which of them have died. `has_leases`: they are those of a machine.
    """

    def __init__(self, parent: Parent, end: EndOfCrawl, *, has_leases: bool) -> None:
        self._parent = parent
        self._end = end
        self._has_leases = has_leases
        self._groups: list[_Group] = []
        self._greenlets: list[hub.Greenlet[..., None]] = []
        self._joined = 0
        self._leaving: list[Process] = []
        """Those whose shards have ended; while they exit, the summary is made."""
        self._deaths = 0
        self._done = 0

    def begin(self, shards: Iterable[int]) -> None:
        """Run a group of shards."""
        group = _Group(shards)
        self._groups.append(group)
        self._spawn(group)

    def begin_again(self) -> None:
        """Run all shards under other settings, also those that have ended.

        Processes that run have to be told by the caller, and to be outdated by now.
        """
        for group in self._groups:
            self._parent.begun_again(group.shards)
            group.left |= group.shards
            if not group.is_kept:
                self._spawn(group)

    def _spawn(self, group: _Group) -> None:
        group.is_kept = True
        self._greenlets.append(hub.spawn(self._keep_guarded, group))

    @property
    def has_begun(self) -> bool:
        """Whether a group has begun, or has begun again, since the last `join`."""
        return self._joined < len(self._greenlets)

    def join(self) -> bool:
        """Wait for the groups; false if none has begun since the last call."""
        groups = self._greenlets[self._joined :]
        hub.joinall(groups, raise_error=True)
        self._joined += len(groups)
        return bool(groups)

    def kill(self) -> None:
        """Keep nothing running any more."""
        hub.killall(self._greenlets)

    def wait_for_exits(self) -> None:
        """Wait until the processes are gone whose shards have ended."""
        for process in self._leaving:
            process.wait()

    def _keep_guarded(self, group: _Group) -> None:
        try:
            self._keep(group)
        except Stop as stop:
            self._parent.stop(stop)
        finally:
            group.is_kept = False

    def _keep(self, group: _Group) -> None:
        """Run processes, one after the other, until the shards have ended."""
        parent = self._parent
        while group.left and not parent.is_stopped:
            left = set(group.left)
            parent.prepare(left)
            if parent.is_stopped:
                return
            if left != group.left:
                continue  # it has begun again meanwhile
            process = parent.run_process(left)
            if not process.is_outdated:  # what it has told counts
                group.left &= process.shards
            if not group.left:
                self._leaving.append(process)
                return
            code = process.wait()
            is_over = code == RESTARTS or not process.shards
            if not is_over and not parent.is_stopped:
                self._died(process, code)

    def _died(self, process: Process, code: int) -> None:
        done = self._end.done
        self._deaths = self._deaths + 1 if done <= self._done else 1
        self._done = done
        self._end.died(process.shards)
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        if self._has_leases and code == LeaseLost.exit_code:
            text = "the leases of some shards have ended; their process begins anew"
        elif self._deaths < MAX_DEATHS:
            text = f"a process has ended {how}; another one goes on with what it had"
        else:
            text = (
                f"{self._deaths} processes in a row have died, the last one {how}; "
                "nothing was fetched in between, so the crawl stops here"
            )
            self._parent.stop(ProcessFailed(text, ProcessFailed.exit_code))
            return
        self._parent.warn(text)
