"""Links that leave the scope are requested, and not followed (`scope.check_external`).

    refused by the scope  ->  a URL with the destination "external"
    its first attempt     ->  HEAD
    refused, broken off   ->  back to the frontier, and the next attempt is a GET
    a redirect            ->  its target, with the same destination
    any other answer      ->  a `file` record with `external`, without a body

All else is as for other URLs: one request for each URL, robots.txt of its host, the
interval between two requests, retries, and a state that is exact after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.engine import record_builder
from crawler.extract.sniff import extract_media_type
from crawler.model.crawl import Destination, Lease, Outcome, Skip
from crawler.model.documents import File
from crawler.model.errors import Failure
from crawler.model.http import Request, Response
from crawler.model.metadata import EXTERNAL, KeyValue, increase
from crawler.model.records import ErrorRecord, SkipRecord, TerminalRecord
from crawler.policy.check import Candidate
from crawler.policy.response_status import failure_of

if TYPE_CHECKING:
    from crawler.engine.open_lease import OpenLease

UNKNOWN_TYPE = "application/octet-stream"
"""Stands for the media type of an answer that names none (RFC 9110, section 8.3)."""
_OUT_OF_SCOPE = ("scope.within:", "scope.images_within:")
_BROKEN_OFF = ("protocol", "reset", "read_timeout", "total_timeout")
"""Failures by which servers answer a method that they do not know."""
_SAME_FOR_GET = (429, 503)
"""Statuses that say nothing about the method."""


def external_links(
    check: Callable[[Candidate], Skip | None],
) -> Callable[[Candidate, Skip], tuple[Skip | None, Destination]]:
    """What becomes of a candidate that was refused by a Skip.

    It is requested if it lies outside of the scope, and `check` has nothing else
    against it.
    """

    def refused(candidate: Candidate, skip: Skip) -> tuple[Skip | None, Destination]:
        if skip.rule.startswith(_OUT_OF_SCOPE) and not check(
            replace(candidate, destination="external")
        ):
            return None, "external"
        return skip, candidate.destination

    return refused


def request_of(lease: Lease, accept: str) -> Request:
    """The request for such a URL; the body of a large answer is not downloaded."""
    return Request(
        lease.url,
        method="GET" if lease.attempts else "HEAD",
        accept=accept,
        referer=lease.parent_url,
        chain=tuple(hop.url for hop in lease.redirects),
        wants=lambda *_: False,
    )


def read_answer(
    handle: OpenLease,
    response: Response,
    now: float,
    read_redirect: Callable[[Lease, Response], Outcome],
    is_redirect: bool,
) -> Outcome | None:
    """The outcome of an answer; None: the URL is to be requested by GET.

    Raises Failure.
    """
    lease = handle.lease
    if (failure := failure_of(response, now)) is not None:
        if response.status in _SAME_FOR_GET or not request_again(handle, failure, now):
            raise failure
        return None
    if is_redirect:
        return read_redirect(lease, response)
    declared = extract_media_type(response.values("content-type"))
    file = File(UNKNOWN_TYPE if declared is None else declared.essence)
    unread = replace(response, truncated="unread")
    record = record_builder.file_record(lease, unread, file, frozenset())
    record.external = True
    return Outcome(lease, record)


def request_again(handle: OpenLease, failure: Failure, now: float) -> bool:
    """Have a URL requested by GET after `failure`, if that was the HEAD.

    False if it was not, or if the failure says nothing about the method.
    """
    if handle.lease.attempts:
        return False
    if failure.status is None and failure.code not in _BROKEN_OFF:
        return False
    handle.retry(now, failure.code, failure.message)
    return True


def count_external(metadata: KeyValue, record: TerminalRecord) -> None:
    """Count a URL outside of the scope that was requested, or could not be."""
    if isinstance(record, SkipRecord):  # its robots.txt forbids it, or a limit
        return
    keys = ["urls"]
    if isinstance(record, ErrorRecord):
        never = record.error_code == "blocked_address"  # no request was made
        keys = ["not checked"] if never else ["urls", "broken"]
    for key in keys:
        increase(metadata, EXTERNAL, key)
