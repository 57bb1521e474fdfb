"""How many requests a crawl has made, by what came of them."""

from __future__ import annotations

from crawler.frontier.state_reader import StateReader
from crawler.model.metadata import REQUESTS_BY_CODE


def request_counts(state: StateReader) -> dict[str, int]:
    """Requests by status or `error_code`, those for robots.txt and retries included.

    Empty in the state of a version that did not count them.
    """
    return {code: int(number) for code, number in state.items(REQUESTS_BY_CODE)}
