"""All pages of the fixture site at once, fetched by one client: outcome and duration.

Durations are time that the client waits; `test_memory.py` bounds its CPU time.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

import hub
from crawler.fetch.client import Client
from crawler.model.errors import Failure
from crawler.model.http import Request
from hub.pool import Pool
from tests.site.fixtures import LIMITS
from tests.site.page import Expect, Page
from tests.site.pages import PAGES
from tests.site.server import Site

EXPECTED = {page.path: page.expect for page in PAGES if page.expect is not None}


class Outcome(NamedTuple):
    got: Expect
    message: str


def fetch(client: Client, url: str) -> Outcome:
    now = hub.get_hub().loop.now
    began = now()
    try:
        response = client.fetch(Request(url))
    except Failure as failure:
        seconds = now() - began
        got = Expect(
            status=None, code=failure.code, stage=failure.at_stage, seconds=seconds
        )
        return Outcome(got, failure.message)
    cut = response.truncated is not None
    seconds = now() - began
    return Outcome(Expect(response.status, response.body, cut, seconds=seconds), "")


@pytest.fixture(scope="module")
def outcomes(running_site: Site) -> dict[str, Outcome]:
    """The outcome of each page, fetched concurrently."""
    client = Client(LIMITS, named_hosts={"127.0.0.1"})
    pages: list[Page] = [page for page in PAGES if page.expect is not None]
    found = Pool(20).map(
        lambda page: fetch(client, running_site.base + page.path), pages
    )
    client.close()
    running_site.forget()
    return {page.path: outcome for page, outcome in zip(pages, found, strict=True)}


@pytest.mark.parametrize("path", EXPECTED)
def test_page(path: str, outcomes: dict[str, Outcome]) -> None:
    expect, (got, message) = EXPECTED[path], outcomes[path]
    assert (got.status, got.code, got.stage) == (
        expect.status,
        expect.code,
        expect.stage,
    ), message
    assert got.truncated == expect.truncated
    assert got.seconds < expect.seconds
    if expect.body is not None:
        assert got.body == expect.body
    if got.truncated:
        assert got.body is not None
        assert len(got.body) == LIMITS.max_body
    if expect.code is not None:
        assert message
