"""Downloads whose connection breaks: what is requested again, and the result."""

from __future__ import annotations

from contextlib import suppress

import pytest
from msgspec.structs import replace

import hub
from crawler.fetch.conditional import OVERLAP
from crawler.model.errors import ConnectionReset, TotalTimeout
from crawler.model.http import Request
from tests.helpers.clients import Make, make
from tests.site import downloads
from tests.site.fixtures import LIMITS
from tests.site.server import Site

__all__ = ["make"]


@pytest.mark.parametrize(
    ("rest", "ranges"),
    [
        ("honest", ["", "bytes=101376-"]),
        ("in-parts", ["", "bytes=101376-", "bytes=182272-", "bytes=263168-"]),
        ("other", ["", "bytes=101376-"]),
        ("unsatisfied", ["", "bytes=101376-", ""]),
        ("no-ranges", ["", "bytes=101376-"]),
        # The rest cannot be had: the failure is left to another attempt.
        ("weak", [""]),
        ("deaf", ["", "bytes=101376-"]),
        ("refused", ["", "bytes=101376-"]),
        ("crumbs", ["", "bytes=101376-"]),
        ("shifted", ["", "bytes=101376-", ""]),
        ("other-part", ["", "bytes=101376-", ""]),
        ("steps", ["", "bytes=101376-", "bytes=167936-", "bytes=234496-"]),
    ],
)
def test_a_download_that_breaks_is_resumed(
    make: Make, site: Site, rest: str, ranges: list[str]
) -> None:
    client = make(LIMITS)
    response = None
    with suppress(ConnectionReset):
        response = client.fetch(Request(f"{site.base}/download/{rest}"))
    assert [hit.headers.get("range", "") for hit in site.log] == ranges
    if response is not None:
        sent = downloads.OTHER if rest == "other" else downloads.WHOLE
        assert (response.status, response.body) == (200, sent)
        assert response.resumed is (rest in ("honest", "in-parts"))
    assert client.statistics().requests == len(ranges)


def test_a_silent_download_is_resumed(make: Make, site: Site) -> None:
    response = make(LIMITS).fetch(Request(f"{site.base}/download/silent"))
    assert (response.body, response.resumed) == (downloads.WHOLE, True)
    assert response.wire_bytes == len(downloads.WHOLE) + OVERLAP
    assert response.timings.fetch_ms >= LIMITS.read_timeout * 1000


def test_a_resumed_download_stays_within_its_limit(make: Make, site: Site) -> None:
    limit = 150 * 1024
    url = f"{site.base}/download/honest"
    for config, request in (
        (replace(LIMITS, max_body=limit), Request(url)),
        (LIMITS, Request(url, max_body=limit)),
    ):
        response = make(config).fetch(request)
        assert (response.truncated, response.body) == (
            "length",
            downloads.WHOLE[:limit],
        )


def test_a_resumed_download_stays_within_its_timeout(make: Make, site: Site) -> None:
    """Each silence costs the read timeout, and the total timeout still holds."""
    limits = replace(LIMITS, timeout=1.0)
    now = hub.get_hub().loop.now
    began = now()
    with pytest.raises(TotalTimeout):
        make(replace(limits, read_timeout=0.6)).fetch(
            Request(f"{site.base}/download/silent-twice")
        )
    assert now() - began < 1.5
