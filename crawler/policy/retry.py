"""Whether a failed URL is tried again, and when. No I/O; no greenlet sleeps for it.

The class of the failure decides (`model/errors.py`), and for responses with an error
status the option `retry.statuses`:

    dns_timeout, dns_servfail                               retry
    connect_refused, connect_timeout, connect_unreachable   retry
    tls_handshake                                           retry
    read_timeout, total_timeout, reset, proxy               retry
    rate_limited, status_5xx, status_4xx, status_other      retry if in `retry.statuses`
    dns_nxdomain, blocked_address, tls_verify, protocol     give up: no change expected
    too_many_redirects, redirect_loop                       give up, likewise
    decode, too_large, parse, extract, image_decode         give up, likewise
    host_parked                                             give up for this run

A status of 600 or more is treated like 5xx (RFC 9110 section 15).

Two of these codes are tried again where the server may have broken off: `decode` if the
coding has not ended, and `image_decode` if nothing but the end of the connection has
ended the image.

The option `retry.tries` bounds the attempts. Between two attempts lies exponential
back-off with equal jitter: half of the wait is certain, half is random, so that URLs
which fail together do not come back together (M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).

A host that has answered in this crawl and can't be reached (DNS, connect, TLS) for now
costs its URLs no attempt (`engine/host_requests.py`): the host is backed off, parked
and given up in the end (`frontier/throttle.py`), and its URLs wait with it.

A response with status 429, or with a Retry-After (RFC 9110 section 10.2.3), concerns
all requests to its host and not one URL: the decision then also says until when the
host is paused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC

from msgspec import Struct

from crawler.model.errors import Failure, RateLimited, StatusFailure
from crawler.model.http import Response
from crawler.model.policy_config import RetryConfig

_MAX_RETRY_AFTER_LENGTH = 64
"""Characters of a Retry-After that is read at all."""


class Retry(Struct, frozen=True):
    """Another attempt. Moments are seconds since the epoch."""

    not_before: float
    host_until: float | None = None
    """Until when the host is paused; None where politeness alone decides."""


class GiveUp(Struct, frozen=True):
    """No further attempt: the failure becomes the URL's record."""

    host_until: float | None = None
    """Until when the host is paused; None where politeness alone decides."""


def decide_retry(
    failure: Failure,
    attempts: int,
    config: RetryConfig,
    now: float,
    jitter: Callable[[], float] = random.random,
) -> Retry | GiveUp:
    """What follows from a failure at `now`, seconds since the epoch.

    `attempts` counts this one; `jitter` gives 0 to 1.
    """
    not_before = now + backoff(attempts, config, jitter)
    host_until = _host_until(failure, not_before, now)
    if attempts >= config.tries or not _is_retried(failure, config):
        return GiveUp(host_until)
    return Retry(not_before, host_until)


def backoff(attempts: int, config: RetryConfig, jitter: Callable[[], float]) -> float:
    """Seconds to wait after so many attempts."""
    doublings = min(attempts - 1, 62)  # beyond, any base has passed any limit
    wait = min(config.max_backoff, config.backoff * 2.0**doublings)
    return wait * (0.5 + jitter() / 2)


def retry_after_of(response: Response, now: float) -> float | None:
    """Seconds that the Retry-After of a response demands; None without a valid one.

    A date is measured from the response's own Date, since the server has made both with
    one clock, and ours may be wrong; from `now` if there is none.
    """
    value = response.header("retry-after")
    if value is None:
        return None
    sent_at = http_date(response.header("date"))
    return retry_after(value, now if sent_at is None else sent_at)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` that a Retry-After field demands; None if it is invalid.

    A date in the past is 0.
    """
    if value is None or len(value) > _MAX_RETRY_AFTER_LENGTH:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    moment = http_date(value)
    return None if moment is None else max(0.0, moment - now)


def http_date(value: str | None) -> float | None:
    """An HTTP-date (RFC 9110 section 5.6.7) in seconds since the epoch, or None."""
    if value is None or len(value) > _MAX_RETRY_AFTER_LENGTH:
        return None
    # With calendars and locales, which few responses need.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000" and asctime-date: UTC
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _is_retried(failure: Failure, config: RetryConfig) -> bool:
    if isinstance(failure, StatusFailure) and failure.status is not None:
        number = failure.status // 100
        status_class = f"{number if number < 6 else 5}xx"  # RFC 9110 section 15
        return str(failure.status) in config.statuses or status_class in config.statuses
    return failure.retry


def _host_until(failure: Failure, not_before: float, now: float) -> float | None:
    if failure.retry_after_s is not None and failure.status in (429, 503):
        return now + failure.retry_after_s
    return not_before if isinstance(failure, RateLimited) else None
