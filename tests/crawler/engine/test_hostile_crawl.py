"""Every known misbehaviour of servers in one crawl, from one page.

The page is the index of the fixture site, which also links to hosts whose names,
addresses, ports or certificates are bad. The crawl has to end by itself, within limits
of time and memory. Each URL has to end as expected, and the good ones are fetched.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

import hub
from crawler.engine.builder import Summary, open_crawl
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, OutputConfig
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    ScopeConfig,
)
from tests.site.content import HOSTILE
from tests.site.fixtures import LIMITS
from tests.site.other_hosts import OtherHosts, other_hosts
from tests.site.page import Expect, reply
from tests.site.pages import PAGES, handlers, index
from tests.site.server import Site

SECONDS = 30.0
MEGABYTES = 120


class Run(NamedTuple):
    """A finished crawl."""

    summary: Summary
    seconds: float
    megabytes: float
    by_url: dict[str, list[dict[str, Any]]]
    """Terminal records by URL; those of the site itself by path."""
    other_hosts: dict[str, tuple[str, str]]
    """The expected record of each URL of other hosts: type, and error_code or ""."""


@pytest.fixture(scope="module")
def run(
    running_tls_site: Site, authority: trustme.CA, ca_file: Path, tmp_path_factory: Any
) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("hostile")
    site = Site({}, addresses=("127.0.0.1", "127.0.0.2"))
    with other_hosts(site, running_tls_site, authority, ca_file) as others:
        yield _crawl(site, others, folder)
    site.stop()


def _crawl(site: Site, others: OtherHosts, folder: Path) -> Run:
    links = "".join(f"<a href='{url}'>{url}</a>" for url in others.expected)
    site.pages = handlers() | {"": reply(index() + links)}
    config = Config(
        seeds=(site.base + "/",),
        dir=str(folder / "crawl"),
        concurrency=24,
        http=others.http,
        politeness=PolitenessConfig(per_host=24, wait=0.0, host_backoff=0.001),
        retry=RetryConfig(tries=1),
        scope=ScopeConfig(within="any", depth=3),
        limits=LimitsConfig(max_links=400),
        records=OutputConfig(keep_truncated="none"),
        bodies=BodiesConfig(hash_files=True),  # each body is read to its bad end
    )
    before = _peak_megabytes()
    now, wall = hub.get_hub().loop.now, time.time()
    began = now()
    summary = open_crawl(config, mode="new", clock=lambda: wall + now() - began).run()
    seconds = now() - began
    by_url: dict[str, list[dict[str, Any]]] = {}
    for line in (folder / "crawl" / "records.jsonl").read_bytes().splitlines():
        record = json.loads(line)
        if record["type"] not in ("run", "robots", "schema"):
            by_url.setdefault(record["url"].removeprefix(site.base), []).append(record)
    return Run(summary, seconds, _peak_megabytes() - before, by_url, others.expected)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_it_ends_by_itself_within_its_bounds(run: Run) -> None:
    assert run.summary.finish_reason == "done"
    assert run.summary.counts["queued"] == run.summary.counts["leased"] == 0
    assert run.seconds < SECONDS
    assert run.megabytes < MEGABYTES


def test_it_is_a_long_list(run: Run) -> None:
    """Counts only what a well-behaved server would not send."""
    odd = [page for page in PAGES if page.listed and _is_odd(page.expect)]
    bad = [code for _, code in run.other_hosts.values() if code]
    assert len(odd) + len(HOSTILE) + len(bad) >= 160


def _is_odd(expect: Expect | None) -> bool:
    return (
        expect is None
        or expect.code is not None
        or expect.truncated
        or expect.status != 200
    )


def test_every_url_has_one_terminal_record(run: Run) -> None:
    assert [url for url, found in run.by_url.items() if len(found) > 1] == []
    assert sum(run.summary.counts.values()) - run.summary.counts["skip"] == len(
        run.by_url
    )


# What the engine makes of an answer that the client is content with.
ENDINGS: dict[str, tuple[str, str | None]] = {
    "/loop": ("error", "redirect_loop"),
    "/cookie-loop": ("error", "redirect_loop"),
    "/redirect-empty": ("error", "redirect_loop"),
    "/redirect-javascript": ("error", "protocol"),
    "/redirect-file": ("error", "protocol"),
    "/redirect-data": ("error", "protocol"),
    "/redirect-long": ("error", "protocol"),
    "/redirect-nowhere": ("error", "protocol"),
    "/redirect-twice": ("error", "protocol"),
    "/redirect-as-304": ("error", "protocol"),
    "/redirect-as-305": ("error", "protocol"),
    "/redirect-as-306": ("error", "protocol"),
    **{
        f"/redirect-nowhere-as-{n}": ("error", "protocol")
        for n in (301, 303, 305, 306, 307, 308)
    },
    "/redirect-nowhere-as-300": ("page", None),
    "/redirect-nowhere-as-399": ("page", None),
    "/status/304": ("error", "protocol"),
    "/part-unasked": ("error", "protocol"),
    "/event-stream": ("error", "total_timeout"),
    "/image/cut.png": ("error", "image_decode"),
    "/image/cut.jpg": ("error", "image_decode"),
    "/image/empty.png": ("error", "image_decode"),
    "/image/html.png": ("error", "image_decode"),
    "/image/zero-size.png": ("error", "image_decode"),
    "/image/huge-size.png": ("error", "image_decode"),
    "/image-drop.png": ("error", "reset"),
}
FETCHED = {"page", "file", "image"}


def ending(path: str, expect: Expect) -> tuple[set[str], str | None]:
    """The allowed types of the record, and the error_code of an error."""
    if path in ENDINGS:
        kind, code = ENDINGS[path]
        return {kind}, code
    if expect.code is not None:
        return {"error"}, expect.code
    assert expect.status is not None
    if expect.status < 300:
        return FETCHED, None
    if expect.status < 400:
        return {"redirect"}, None
    if expect.status == 429:
        return {"error"}, "rate_limited"
    return {"error"}, f"status_{expect.status // 100}xx"


LISTED = [
    page for page in PAGES if page.listed and (page.expect or page.path in ENDINGS)
]


@pytest.mark.parametrize("page", LISTED, ids=lambda page: page.path)
def test_each_page_ends_as_it_should(page: Any, run: Run) -> None:
    if page.path == "/private/secret":
        assert page.path not in run.by_url  # robots.txt closes it
        return
    (record,) = run.by_url[page.path]
    kinds, code = ending(page.path, page.expect)
    assert (record["type"] in kinds, record.get("error_code")) == (True, code), record
    if code is not None:
        assert record["error_message"]
    assert (
        _milliseconds(record)
        < (page.expect.seconds if page.expect else 2) * 1000 + SLACK_MS
    )


SLACK_MS = 1000
"""Time that the other 23 requests in flight may take (ms).

The hub's clock leaves out the time in which the machine stalls.
"""


def _milliseconds(record: dict[str, Any]) -> int:
    """The duration of the record's request (ms)."""
    return int(record["fetch_ms"] if "fetch_ms" in record else record["elapsed_ms"])


def test_each_url_elsewhere_ends_in_time(run: Run) -> None:
    took = {url: _milliseconds(run.by_url[url][0]) for url in run.other_hosts}
    assert {
        url: ms for url, ms in took.items() if ms > LIMITS.timeout * 1000 + SLACK_MS
    } == {}


def test_each_url_elsewhere_ends_as_it_should(run: Run) -> None:
    found = {
        url: (run.by_url[url][0]["type"], run.by_url[url][0].get("error_code") or "")
        for url in run.other_hosts
    }
    assert found == run.other_hosts


def test_every_kind_of_failure_is_met(run: Run) -> None:
    codes = Counter(found[0].get("error_code") for found in run.by_url.values())
    assert set(codes) - {None} >= {
        "dns_nxdomain", "dns_servfail", "dns_timeout", "connect_refused",
        "blocked_address", "tls_verify", "tls_handshake", "read_timeout",
        "total_timeout", "reset", "protocol", "decode", "redirect_loop",
        "too_many_redirects", "rate_limited", "status_4xx", "status_5xx",
        "image_decode",
    }  # fmt: skip
