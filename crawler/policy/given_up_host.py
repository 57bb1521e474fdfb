"""The check of hosts that were given up.

A host that does not answer is parked; `politeness.max_parkings` decides after how many
times it is given up, and all its URLs end. The frontier keeps the count.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.model.crawl import Skip
from crawler.policy.check import DUE, Candidate


class GivenUpHostCheck:
    """Refuses the URLs of a host that was given up.

    `given_up(host)` gives the Skip where robots.txt could not be had, raises HostParked
    where the host did not answer at all, and is None for any other host.
    """

    name = "given_up_host"
    moments = DUE

    def __init__(self, given_up: Callable[[str], Skip | None]) -> None:
        self._given_up = given_up

    def check(self, candidate: Candidate) -> Skip | None:
        """Raises HostParked for a host that did not answer."""
        return self._given_up(candidate.host)
