"""From what a lease led to, to the record about it.

Pure: values in, one record out. `seq`, `ts` and `run_id` are filled in by the
committer, which alone knows the order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from crawler.extract.sniff import extract_media_type
from crawler.model.crawl import Discovered, Lease, Outcome, Skip
from crawler.model.documents import (
    NOTHING,
    Declared,
    Enriched,
    File,
    Image,
    Page,
    PageText,
    Photo,
    left_out_of,
)
from crawler.model.errors import ExtractFailure, Failure
from crawler.model.http import BodySink, Hop, Response
from crawler.model.link_graph import FoundLinks
from crawler.model.record_base import (
    BodyRecord,
    HeaderRow,
    RedirectHop,
    left_out_text,
)
from crawler.model.records import (
    ErrorRecord,
    FileRecord,
    ImageRecord,
    ItemRecord,
    PageRecord,
    RedirectRecord,
    RobotsRecord,
    SkipRecord,
    TerminalRecord,
)
from crawler.model.redact import redact
from crawler.model.url import host_key, id_to_hex, registrable_domain, url_id_hex
from crawler.policy.robots_txt import Robots


def page_record(
    lease: Lease, response: Response, page: Page, include: frozenset[str]
) -> PageRecord:
    """`include` names the optional fields that the user chose."""
    return PageRecord(
        **fetched(lease, response),
        content_type=page.content_type,
        charset=page.charset,
        charset_source=page.charset_source,
        lang=page.lang,
        robots_meta=page.robots_meta,
        title=page.title,
        title_source=page.title_source,
        description=page.description,
        description_source=page.description_source,
        canonical_url=page.canonical_url,
        canonical_source=page.canonical_source,
        **_declared(page.declared, include),
        needs_javascript=page.needs_javascript,
        links_count=len(page.links),
        images_count=len(page.images),
        left_out=page.left_out,
        links=page.links if "links" in include else None,
        images=page.images if "images" in include else None,
        headers=_header_rows(response) if "headers" in include else None,
    )


def _declared(declared: Declared, include: frozenset[str]) -> dict[str, Any]:
    """What a page declares; most pages of manuals and the like declare nothing."""
    if declared is NOTHING:
        return {}
    fields = msgspec.structs.asdict(declared)
    if "jsonld" not in include:
        fields["jsonld"] = None
    return fields


def add_text(record: PageRecord, text: PageText) -> None:
    """Put the text of a page into its record."""
    record.text, record.markdown = text.text, text.markdown
    record.words_count = text.words


def item_records(
    page: PageRecord | FileRecord | ErrorRecord, items: Sequence[dict[str, Any]]
) -> tuple[ItemRecord, ...]:
    """The records of the items of a page, or of a JSON body."""
    return tuple(
        ItemRecord(
            url=page.url,
            url_id=page.url_id,
            host=page.host,
            domain=page.domain,
            index=index,
            data=data,
        )
        for index, data in enumerate(items)
    )


_ONLY_A_FILE = Enriched(None)


def file_record(
    lease: Lease,
    response: Response,
    file: File,
    include: frozenset[str],
    enriched: Enriched = _ONLY_A_FILE,
) -> FileRecord:
    unread = response.truncated == "unread"
    return FileRecord(
        **fetched(lease, response),
        content_type=file.content_type,
        charset=file.charset,
        charset_source="http" if file.charset else None,
        declared_bytes=announced_size(response) if unread else None,
        links_count=len(file.links),
        images_count=len(file.images),
        left_out=left_out_of(file.left_out, enriched.left_out),
        data=enriched.data,
        links=file.links if "links" in include else None,
        images=file.images if "images" in include else None,
        headers=_header_rows(response) if "headers" in include else None,
    )


def image_record(
    lease: Lease, response: Response, image: Image, with_gps: bool = False
) -> ImageRecord:
    """The committer, which keeps the bytes, fills in `path`, `dup_of` and `phash`."""
    return ImageRecord(
        **fetched(lease, response),
        content_type=image.content_type,
        path=None,
        format=image.format,
        width=image.width,
        height=image.height,
        frames=image.frames,
        animated=None if image.frames is None else image.frames > 1,
        alt=lease.alt,
        page_url=lease.parent_url,
        source="resumed" if response.resumed else "new",
        **image_context(lease),
        **({} if image.photo is None else _photo(image.photo, with_gps)),
    )


def _photo(photo: Photo, with_gps: bool) -> dict[str, Any]:
    fields = msgspec.structs.asdict(photo)
    fields["has_gps"] = photo.latitude is not None
    if not with_gps:
        del fields["latitude"], fields["longitude"]
    return fields


def image_context(lease: Lease) -> dict[str, Any]:
    """What is known of an image by the API or the page that names it."""
    context = lease.context
    if context is None:
        return {}
    return {
        "data": context.data or None,
        "versions": context.versions,
        "title": context.title,
        "caption": context.caption,
        "link_text": context.link_text,
        "thumbnail": context.thumbnail,
    }


def redirect_record(lease: Lease, response: Response, location: str) -> RedirectRecord:
    declared = extract_media_type(response.values("content-type"))
    return RedirectRecord(
        **fetched(lease, response),
        content_type=None if declared is None else declared.essence,
        location=location,
    )


def error_record(lease: Lease, failure: Failure, elapsed_ms: int) -> ErrorRecord:
    """`elapsed_ms`: of the last attempt."""
    return ErrorRecord(
        **_url_fields(lease),
        error_code=failure.code,
        error_stage=failure.at_stage,
        error_message=failure.message,
        status=failure.status,
        attempts=lease.attempts + 1,
        retry_after_s=failure.retry_after_s,
        elapsed_ms=elapsed_ms,
        for_type=lease.destination,
    )


def skip_record(lease: Lease, skip: Skip) -> SkipRecord:
    return SkipRecord(**_url_fields(lease), reason=skip.reason, rule=skip.rule)


def failed(
    lease: Lease,
    response: Response,
    failure: ExtractFailure,
    found: tuple[Discovered, ...],
    document: Page | File,
    saved: bytes | BodySink | None,
    links: FoundLinks,
    items: Sequence[dict[str, Any]] = (),
) -> Outcome:
    """The outcome where plug-ins have failed: the links count all the same.

    `items`: those of the answer of an API that lack nothing. `links`: for the link
    graph.
    `saved`: the body, if it is kept, from which `orbweb extract` may get the fields.
    """
    error = error_record(lease, failure, response.timings.fetch_ms)
    error.status = response.status
    if saved is not None:
        is_told = isinstance(document, File) or document.charset_source == "http"
        error.charset = document.charset if is_told else None
        error.content_type = document.content_type
        error.sha256 = _hash(response)
        error.body_bytes = response.size
    records = item_records(error, items)
    return Outcome(lease, error, found, items=records, body=saved, links=links)


def skipped(lease: Lease, skip: Skip) -> Outcome:
    """The outcome of a lease that ends as a skip."""
    return Outcome(lease, skip_record(lease, skip))


def unfetched_skip(found: Discovered) -> SkipRecord:
    """The record of a URL that was refused when it was found. `found.skip` is set."""
    assert found.skip is not None
    return SkipRecord(
        **_site_fields(found.url, found.redirects),
        parent_url=found.parent_url,
        link_kind=found.kind,
        depth=found.depth,
        seed_url=found.seed_url,
        reason=found.skip.reason,
        rule=found.skip.rule,
    )


def robots_record(
    url: str, response: Response, robots: Robots, expires_at: float
) -> RobotsRecord:
    """A robots.txt that was answered; `expires_at` in seconds since the epoch."""
    parsed = 200 <= response.status < 300
    return RobotsRecord(
        **_site_fields(url),
        status=response.status,
        policy="parsed" if parsed else "allow_all",
        agent_matched=robots.agent_matched,
        crawl_delay_s=robots.crawl_delay,
        rules_count=robots.rules_count,
        sitemaps=robots.sitemaps,
        expires_at=timestamp(expires_at),
        fetch_ms=response.timings.fetch_ms,
    )


def failed_robots_record(url: str, failure: Failure) -> RobotsRecord:
    """A robots.txt that is unavailable: nothing may be requested."""
    return RobotsRecord(**_site_fields(url), status=failure.status, policy="deferred")


def timestamp(moment: float) -> str:
    """RFC 3339 in UTC with milliseconds, of seconds since the epoch."""
    seconds = int(moment)
    second = _second(seconds)
    return f"{second}.{int((moment - seconds) * 1000):03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def ending_of(record: TerminalRecord) -> tuple[str | None, str | None]:
    """The code of a record and its detail in words.

    The code is the `error_code` of an error, the `reason` of a skip, or how a refetched
    URL changed. The detail is the message of an error, the rule of a skip, what a limit
    has left out of a page or a file, the damage of a picture, or the URL that it is a
    duplicate of, or that it replaces.
    """
    if isinstance(record, ErrorRecord):
        return record.error_code, record.error_message
    if isinstance(record, SkipRecord):
        return record.reason, record.rule
    if not isinstance(record, ImageRecord):
        cut = record.left_out if isinstance(record, BodyRecord) else ()
        return record.changed, left_out_text(cut) if cut else None
    if record.damage is not None:
        return record.changed, f"damaged: {record.damage}"
    if record.dup_of is None:
        other = record.replaces
        return record.changed, other and f"looks like {other}, and replaces it"
    how = "looks like" if record.dup_kind == "near" else "the same bytes as"
    return record.changed, f"{how} {record.dup_of}"


def _site_fields(url: str, redirects: tuple[Hop, ...] = ()) -> dict[str, Any]:
    host = host_key(url)
    return {
        "url": url,
        "url_id": url_id_hex(url, redirects),
        "host": host,
        "domain": registrable_domain(host),
    }


def _url_fields(lease: Lease) -> dict[str, Any]:
    return {
        "url": lease.url,
        "url_id": id_to_hex(lease.url_id),
        "host": lease.host,
        "domain": registrable_domain(lease.host),
        "parent_url": lease.parent_url,
        "link_kind": lease.kind,
        "depth": lease.depth,
        "seed_url": lease.seed_url,
    }


def fetched(lease: Lease, response: Response) -> dict[str, Any]:
    """The fields of every record about an answer."""
    timings = response.timings
    return {
        **_url_fields(lease),
        "status": response.status,
        "redirects": _hops(lease.redirects + response.redirects),
        "http_version": response.http_version,
        "remote_ip": response.remote_ip,
        "tolerated": response.tolerated,
        "weak_cipher": response.weak_cipher,
        "sha256": _hash(response),
        "etag": response.header("etag"),
        "last_modified": response.header("last-modified"),
        "attempts": lease.attempts + 1,
        "fetch_ms": timings.fetch_ms,
        "queue_ms": lease.queued_ms,
        "dns_ms": timings.dns_ms,
        "connect_ms": timings.connect_ms,
        "tls_ms": timings.tls_ms,
        "ttfb_ms": timings.ttfb_ms,
        "download_ms": timings.download_ms,
        "reused_connection": response.reused_connection,
        "truncated": response.truncated,
        "wire_bytes": response.wire_bytes,
        "body_bytes": response.size,
        "content_encoding": response.content_encoding,
    }


def _hash(response: Response) -> str | None:
    if response.truncated == "unread":
        return None
    if response.streamed is not None:
        return response.streamed.digest()
    return hashlib.sha256(response.body).hexdigest()


def announced_size(response: Response) -> int | None:
    """Content-Length (bytes); None if there is none, or it is malformed."""
    length = response.header("content-length")
    if length is None:
        return None
    return int(length) if length.isdecimal() and len(length) < 19 else None


def _hops(redirects: tuple[Hop, ...]) -> tuple[RedirectHop, ...]:
    return tuple([RedirectHop(hop.url, hop.status) for hop in redirects])


def _header_rows(response: Response) -> tuple[HeaderRow, ...]:
    """The headers without secrets; a cookie counts as one."""
    return tuple(
        HeaderRow(name, redact(name, value)) for name, value in response.headers
    )
