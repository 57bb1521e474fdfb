"""`records.only_keep`: pages are followed, and only those that match are recorded.

A page or file whose URL does not match is fetched and read for its links as any other,
and then ends as a skip with the reason `not_kept`: the state knows it, and it has no
record, no items, and no saved body. Its pictures and style sheets are not even found,
so that they are still there for a page that is kept; what is found on such a page is
kept with it. A picture that matches by itself is kept wherever it is. Errors and
redirects of URLs that do not match are not recorded, either: the state has them, so
that they are counted, listed (`orbweb urls --state error`) and tried again as ever.
WARC files hold all exchanges.
"""

from __future__ import annotations

import re2
from msgspec.structs import replace

from crawler.engine.record_builder import skip_record
from crawler.model.crawl import Outcome, Skip
from crawler.model.records import (
    ErrorRecord,
    FileRecord,
    ImageRecord,
    PageRecord,
    SkipRecord,
)
from crawler.model.url_pattern import expression


class KeptRecords:
    """Decides what is recorded. `patterns` are valid, as `[records]` checks them."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(expression(pattern))
        self._set.Compile()
        self._skip = Skip("not_kept", f"records.only_keep: {', '.join(patterns)}")

    def apply(self, outcome: Outcome) -> Outcome:
        """The outcome as it is recorded."""
        lease, record = outcome.lease, outcome.record
        if lease.destination not in ("page", "external"):
            return outcome  # it was found on a page that is kept
        if isinstance(record, SkipRecord) or self._matches(record.url):
            return outcome
        of_page = isinstance(record, ImageRecord) or lease.destination == "external"
        if of_page and self._matches(lease.parent_url or ""):
            return outcome
        if lease.destination == "external" or not _is_content(outcome):
            return replace(outcome, is_recorded=False)
        return Outcome(
            lease,
            skip_record(lease, self._skip),
            tuple(
                found
                for found in outcome.found
                if found.destination in ("page", "external") or self._matches(found.url)
            ),
            links=outcome.links,
        )

    def _matches(self, url: str) -> bool:
        return bool(self._set.Match(url))


def _is_content(outcome: Outcome) -> bool:
    record = outcome.record
    if isinstance(record, ErrorRecord):  # its fields could not be extracted
        return record.error_code == "extract" and outcome.links is not None
    return isinstance(record, PageRecord | FileRecord | ImageRecord)
