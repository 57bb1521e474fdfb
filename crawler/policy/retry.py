"""May a failed URL be tried again, and when? No I/O; the store remembers, no greenlet
sleeps.

What a failure's class says (`errors.py`) decides, and for answers the user's list of
statuses:

    dns_timeout, dns_servfail                                again
    connect_refused, connect_timeout, connect_unreachable    again
    tls_handshake                                            again
    read_timeout, total_timeout, reset, proxy                again
    rate_limited, status_5xx, status_4xx                     again if in `retry.statuses`
    dns_nxdomain, blocked_address, tls_verify, protocol      final: it would end the same way
    too_many_redirects, redirect_loop                        final, likewise
    decode, too_large, parse, extract, image_decode          final, likewise
    host_parked                                              final for this run

Between attempts lies exponential back-off with equal jitter: half of the wait is
certain, half is chance, so that what failed together does not come back together (M.
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

A server that says 429, or names a time (Retry-After, RFC 9110 section 10.2.3), means
all our requests and not one URL: the verdict then says until when the whole host is to
be left alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC

from msgspec import Struct

from crawler.model.config import RetryConfig
from crawler.model.errors import (
    ClientErrorStatus,
    Failure,
    ProtocolFailure,
    RateLimited,
    ServerErrorStatus,
    StatusFailure,
)
from crawler.model.http import Response


class Again(Struct, frozen=True):
    """Another attempt, not before this moment (seconds since the epoch).

    `host_until`: when the host may be asked again for anything; None: whenever manners
    allow.
    """

    not_before: float
    host_until: float | None = None


class Final(Struct, frozen=True):
    """The failure becomes the URL's record."""

    host_until: float | None = None


def decide(
    failure: Failure,
    attempts: int,
    config: RetryConfig,
    now: float,
    jitter: Callable[[], float] = random.random,
) -> Again | Final:
    """What follows from a failure. `attempts` counts this one; `jitter` gives 0 to
    1."""
    not_before = now + backoff(attempts, config, jitter)
    host_until = _host_until(failure, not_before, now)
    if attempts >= config.tries or not _retried(failure, config):
        return Final(host_until)
    return Again(not_before, host_until)


def backoff(attempts: int, config: RetryConfig, jitter: Callable[[], float]) -> float:
    """Seconds to wait after so many attempts."""
    doublings = min(attempts - 1, 62)  # beyond, any base has passed any limit
    longest = min(config.max_backoff, config.backoff * 2.0**doublings)
    return longest * (0.5 + jitter() / 2)


_NO_REDIRECTS = {
    304: "nothing was known that could be unchanged",
    305: "a server does not choose our proxy",
    306: "that status means nothing",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def redirects(response: Response) -> bool:
    """Whether the answer's Location is to be followed (RFC 9110 section 15.4).

    An unknown status of the class is read as 300 is: as a redirect if it says where to.
    """
    status = response.status
    return (
        300 <= status < 400
        and status not in _NO_REDIRECTS
        and bool(_locations(response))
    )


def refusal(response: Response, now: float) -> Failure | None:
    """The failure that an answer stands for by its status; None if it is content, or a
    redirect.

    300 without Location is content: a page that names its alternatives. A redirect that
    does not say where to, or says two things, is an error, and so is a part (206) or
    "not modified" (304) where nobody asked for it.
    """
    status = response.status
    if status < 400:
        why = _objection(response)
        said = f"{status} {response.reason}".rstrip()
        return None if why is None else ProtocolFailure(f"{said}: {why}", status=status)
    if status == 429:
        kind: type[StatusFailure] = RateLimited
    else:
        kind = ClientErrorStatus if status < 500 else ServerErrorStatus
    return kind(
        f"{status} {response.reason}".rstrip(),
        status=status,
        retry_after_s=retry_after(response.header("retry-after"), now),
    )


def _objection(response: Response) -> str | None:
    status, locations = response.status, _locations(response)
    if status == 206:
        return "a part, and the whole was asked for"
    if status in _NO_REDIRECTS:
        return _NO_REDIRECTS[status]
    if status in _REDIRECTS and not locations:
        return "without a Location"
    return "several Locations" if status >= 300 and len(locations) > 1 else None


def _locations(response: Response) -> set[str]:
    return {*response.values("location")}


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds from now that a Retry-After field asks for; None if there is no sense in
    it.

    A date that is past is 0: the time has come.
    """
    if value is None or len(value) > 64:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import (
        parsedate_to_datetime,  # with calendars and locales: for few answers
    )

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if (
        moment.tzinfo is None
    ):  # "-0000", or an asctime-date: both are UTC (RFC 9110 section 5.6.7)
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _retried(failure: Failure, config: RetryConfig) -> bool:
    if isinstance(failure, StatusFailure) and failure.status is not None:
        status = str(failure.status)
        return status in config.statuses or f"{status[0]}xx" in config.statuses
    return failure.retry


def _host_until(failure: Failure, not_before: float, now: float) -> float | None:
    if failure.retry_after_s is not None and failure.status in (429, 503):
        return now + failure.retry_after_s
    return not_before if isinstance(failure, RateLimited) else None
