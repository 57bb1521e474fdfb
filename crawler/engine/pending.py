"""Outcomes that wait for the findings of plug-ins, and no greenlet with them.

A page whose findings are with the extraction processes has nothing to do until they
come, and may wait for seconds behind others. A greenlet that waited for them would be
woken for each page, and another one beside it for the next page. So the worker puts the
outcome aside and takes the next URL; the greenlet that receives the findings completes
the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crawler.model.crawl import Outcome
from crawler.model.documents import Enriched, Page
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response
from hub.event import Event

Finish = Callable[[Enriched, ExtractFailure | None], Outcome | None]
"""Makes an outcome of what plug-ins have found, or of their failure.

None: the lease has its answer already, as where no page is left. Does not switch.
Raises Failure.
"""


def _nothing() -> None:
    """There is nothing to give up."""


class PendingOutcome:
    """One that is complete when the findings have come."""

    __slots__ = ("_finish", "_found", "_on_found", "_steps", "elapsed_ms", "give_up")

    def __init__(self, finish: Finish) -> None:
        self._finish = finish
        self.give_up: Callable[[], None] = _nothing
        """What `abandon` calls."""
        self.elapsed_ms = 0
        """The time that the request took, and what came before it."""
        self._steps: tuple[Callable[[Outcome], Outcome], ...] = ()
        self._found: tuple[Enriched, ExtractFailure | None] | None = None
        self._on_found: Callable[[PendingOutcome], None] | None = None

    def set_findings(self, found: Enriched, failure: ExtractFailure | None) -> None:
        """They have come."""
        self._found = found, failure
        self.give_up = _nothing  # it refers to what refers to this
        if self._on_found is not None:
            self._on_found(self)

    def abandon(self) -> None:
        """The findings are not wanted; without effect once they have come."""
        if self._found is None:
            self.give_up()

    def when_found(self, callback: Callable[[PendingOutcome], None]) -> None:
        """Call `callback` when the findings have come; at once if they have."""
        self._on_found = callback
        if self._found is not None:
            callback(self)

    def then(self, step: Callable[[Outcome], Outcome]) -> PendingOutcome:
        """The outcome goes through `step` when it is complete."""
        self._steps += (step,)
        return self

    def complete(self) -> Outcome | None:
        """The outcome; the findings have come. Raises Failure."""
        assert self._found is not None
        outcome = self._finish(*self._found)
        for step in self._steps:
            outcome = outcome and step(outcome)
        return outcome

    def wait(self) -> None:
        """Wait for the findings."""
        if self._found is None:
            found = Event()
            self.when_found(lambda _: found.set())
            try:
                found.wait()
            except BaseException:  # a Timeout, or the greenlet is killed
                self.abandon()
                raise


class ReadByPlugins(Protocol):
    """The plug-ins that work on documents."""

    @property
    def only_read(self) -> bool:
        """Whether there are none, but a process that reads pages."""
        ...

    def submit(
        self, response: Response, page: Page | None, asked: str, finish: Finish
    ) -> PendingOutcome:
        """Have them work on `page`; what they find is given to `finish`.

        Without a page the process reads the response itself; if it fails, `finish` is
        given none.
        `asked` is the URL that was requested, if redirects led from it to that of the
        response. Does not switch.
        """
        ...


AnyOutcome = Outcome | PendingOutcome | None
"""What comes of a response; None: the lease has its answer already."""


def then(outcome: AnyOutcome, step: Callable[[Outcome], Outcome]) -> AnyOutcome:
    """The outcome goes through `step`, when it is complete."""
    if isinstance(outcome, PendingOutcome):
        return outcome.then(step)
    return None if outcome is None else step(outcome)


def outcome_of(outcome: AnyOutcome) -> Outcome | None:
    """The outcome, which is waited for."""
    if not isinstance(outcome, PendingOutcome):
        return outcome
    outcome.wait()
    return outcome.complete()
