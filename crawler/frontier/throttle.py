"""The request rate of one host: the controller of a single host.

A host's `HostThrottle` holds what it has shown: a frozen value that the store keeps, so
that a resume, or a host that leaves memory and comes back, begins where it stopped.
Each `HostFeedback` makes a new throttle of the old one, and from a throttle follow two
numbers:

`interval`: seconds between the starts of two requests, the longest of

    wait         what the user configured
    crawl_delay  the value in the site's robots.txt
    latency      the speed of the host: the smoothed time to its first byte, so that a
                 host which takes longer than `wait` to answer gets one request at a
                 time, on average. Smoothed as TCP does with round trips (RFC 6298,
                 gain 1/8); the idea is Heritrix's and AutoThrottle's. It does not count
                 where `wait` is 0, which means full speed.
    slowdown     what the host demanded by 429 and 503

`backoff`: seconds to leave a host alone that did not answer at all: `host_backoff`,
doubled by each further failure in a row. After `park_after` of them the host is
*parked*: its URLs stay queued, it is tried again after `park_time` (doubled each time),
and a crawl that has nothing else left to do ends without it, `max_park_wait` after the
last answer of any host. A host that was parked `max_parkings` times and still does not
answer is given up.

A host that keeps answering 429 or 503, its *refusals*, is parked by the same rule. It
is so after as many refusals in a row as it takes to slow it down to one request in
`max_adaptive_wait`, and that is where its parkings begin. A Retry-After of that length
or more counts as all of these but the last: who refuses again after it is parked.

So a host that answers nothing else is parked at most so long after its first refusal
(and the time that its answers take):

    pause(1) + pause(2) + ... + pause(n - 1), where n is `Controller.refusals`
    pause(k) = min(max(2 * interval, 1 s) * 2 ** (k - 1), max_adaptive_wait),
               or what its Crawl-delay or its Retry-After demands, if that is longer;
               one Retry-After at most is `max_adaptive_wait` or more, and then it is
               at most `max_retry_after`, and the next refusal is the last

That is 63 s with the defaults and without Retry-After. A crawl that has nothing else to
do ends by then, or `max_park_wait` after the last answer of any host, if that is later,
plus the time that one more request to each parked host takes.

Slowdown is additive increase and multiplicative decrease of the *rate* (D.-M. Chiu, R.
Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in
Computer Networks", 1989: of the four linear combinations the only one by which users of
one resource, each knowing no more than yes or no, come to use it fairly and fully). A
429 or 503 halves the rate; each response after that adds a sixteenth of the full rate
back; at the full rate the slowdown is gone. As in TCP, requests that were under way
together count once: feedback on a request sent before the last change says nothing
about the throttle since (`politeness.py` sees to that), nor do ten connections that
fail at one moment make ten failures.

No I/O, no clock, no state.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from crawler.model.crawl import Skip
from crawler.model.errors import (
    ConnectFailure,
    ConnectionReset,
    Failure,
    HostParked,
    NameFailure,
    ReadTimeout,
    TlsHandshakeFailure,
    TotalTimeout,
)
from crawler.model.http import Response
from crawler.model.policy_config import PolitenessConfig

MIN_INTERVAL_S = 0.1
"""The highest full rate that recovery assumes (per second).

Without `wait` the rate has no bound.
"""

FIRST_S = 1.0
"""The interval after the first 429, at least."""

RECOVERY = 16
"""Answers from no rate to the full one; half as many after one 429."""

GAIN = 1 / 8
MAX_PARK_S = 86_400.0
_DOUBLINGS = 30  # beyond, any pause has passed any limit

ROBOTS: Final = "robots_unavailable"
"""`failure_code` of a host whose robots.txt can't be had, and reason of a skip."""
_ROBOTS_STATUS = "robots_"
"""Before the status that robots.txt was answered with, if that is 429 or 5xx."""
REFUSALS: Final = {429: "rate_limited", 503: "status_5xx"}
"""`failure_code` of a host that refuses requests, by the status of its answers."""
_REFUSED = frozenset(REFUSALS.values())


class HostThrottle(Struct, frozen=True):
    """What one host has shown; times in seconds."""

    crawl_delay: float = 0.0
    latency: float = 0.0
    slowdown: float = 0.0
    failures: int = 0
    """In a row: requests without an answer, or refusals."""
    parkings: int = 0
    """Since it last answered, and did not refuse."""
    failure_code: str = ""
    """`error_code` of the last failure or refusal, or that of `robots_failure`."""

    @property
    def refuses(self) -> bool:
        """Whether the host answers, and each time with 429 or 503."""
        return self.failure_code in _REFUSED


class HostFeedback(Struct, frozen=True):
    """How a host handled a request: it answered, was overloaded, or did not answer."""

    sent_at: float
    kind: Literal["served", "overloaded", "failed"]
    latency: float = 0.0
    failure_code: str = ""
    retry_after_s: float = 0.0
    """How long an overloaded host asks to be left alone (seconds)."""


UNTRIED = HostThrottle()


def robots_failure(status: int | None) -> str:
    """The `failure_code` of a host that answered so when asked for its robots.txt.

    >>> robots_failure(429), robots_failure(999)
    ('robots_429', 'robots_unavailable')
    """
    known = status is not None and (status == 429 or 500 <= status <= 599)
    return f"{_ROBOTS_STATUS}{status}" if known else ROBOTS


def robots_status(failure_code: str) -> str | None:
    """The status in a code of `robots_failure`: "" where it has none.

    None: it is the code of another failure.
    """
    if not failure_code.startswith(_ROBOTS_STATUS):
        return None
    return "" if failure_code == ROBOTS else failure_code.removeprefix(_ROBOTS_STATUS)


def feedback_of(
    response: Response, sent_at: float, retry_after_s: float = 0.0
) -> HostFeedback:
    """What an answer says about its host."""
    if response.status in REFUSALS:
        code = REFUSALS[response.status]
        return HostFeedback(
            sent_at, "overloaded", failure_code=code, retry_after_s=retry_after_s
        )
    timings = response.timings
    latency_ms = timings.fetch_ms if timings.ttfb_ms is None else timings.ttfb_ms
    return HostFeedback(sent_at, "served", latency_ms / 1000)


def feedback_of_failure(failure: Failure, sent_at: float) -> HostFeedback | None:
    """What a failure says about its host; None for one that says nothing.

    A name that does not exist or a wrong certificate makes each URL fail at once, so no
    URL needs to wait. Where a connection breaks off or a body never ends, the host is
    up.
    """
    timed_out = isinstance(failure, ReadTimeout | TotalTimeout)
    timed_out &= failure.at_stage != "body" and failure.retry
    if not (timed_out or is_unreachable(failure)):
        return None
    return HostFeedback(sent_at, "failed", failure_code=failure.code)


def is_unreachable(failure: Failure) -> bool:
    """Whether the host could not be reached for now, whichever URL it was for."""
    silent = isinstance(failure, NameFailure | ConnectFailure | TlsHandshakeFailure)
    silent |= isinstance(failure, ConnectionReset) and failure.at_stage == "connect"
    return silent and failure.retry


def check(throttle: HostThrottle) -> Skip:
    """The end of a URL of a host that was given up: a skip, or HostParked is raised."""
    parked = f"it was parked {throttle.parkings - 1} times, and the next time still: "
    code = throttle.failure_code
    if (status := robots_status(code)) is not None:
        still = f"it answered {status}" if status else code
        return Skip(ROBOTS, f"robots.txt of the host can't be had; {parked}{still}")
    raise HostParked(f"the host was given up; {parked}{code}")


class Controller:
    """From one throttle to the next."""

    def __init__(self, config: PolitenessConfig) -> None:
        self._config = config
        self.refusals = _refusals(config)
        """The number of refusals in a row after which a host is parked."""

    def interval(self, throttle: HostThrottle) -> float:
        """The interval (seconds) between the starts of two requests.

        A host that was given up gets no requests.
        """
        config = self._config
        if self.given_up(throttle):
            return 0.0
        least = max(config.wait, throttle.crawl_delay)
        if not config.adaptive:
            return least
        latency = throttle.latency if config.wait else 0.0
        return max(
            least, min(max(latency, throttle.slowdown), config.max_adaptive_wait)
        )

    def backoff(self, throttle: HostThrottle) -> float:
        """Seconds to leave a failing host alone."""
        config = self._config
        if not throttle.failures or self.given_up(throttle):
            return 0.0
        if self.parked(throttle):
            first = max(config.park_time, throttle.slowdown)
            doublings = min(throttle.parkings - 1, _DOUBLINGS)
            return min(first * 2.0**doublings, max(first, MAX_PARK_S))
        if throttle.refuses and config.adaptive:
            return 0.0  # its slowdown is its pause
        doublings = min(throttle.failures - 1, _DOUBLINGS)
        return min(
            config.host_backoff * 2.0**doublings,
            max(config.host_backoff, config.park_time),
        )

    def parked(self, throttle: HostThrottle) -> bool:
        """Whether the last failure is one too many."""
        limit = self.refusals if throttle.refuses else self._config.park_after
        return throttle.failures >= limit and not self.given_up(throttle)

    def given_up(self, throttle: HostThrottle) -> bool:
        return throttle.parkings > self._config.max_parkings

    def after(
        self, throttle: HostThrottle, reply: HostFeedback, recent: bool
    ) -> HostThrottle:
        """What is known of the host after a reply.

        `recent`: the request was sent after the last change for the worse, so that its
        feedback says something about the throttle since.
        """
        if reply.kind == "served":
            return self._served(throttle, reply.latency, recent)
        if not recent:
            return throttle
        return (
            self._failed(throttle, reply)
            if reply.kind == "failed"
            else self._overloaded(throttle, reply)
        )

    def _served(
        self, throttle: HostThrottle, latency: float, recent: bool
    ) -> HostThrottle:
        throttle = _alive(throttle)
        if not self._config.adaptive:
            return throttle
        if throttle.slowdown and recent:
            throttle = replace(throttle, slowdown=self._recovered(throttle))
        if self._config.wait:
            throttle = replace(throttle, latency=_smoothed(throttle.latency, latency))
        return throttle

    def _overloaded(self, throttle: HostThrottle, reply: HostFeedback) -> HostThrottle:
        config = self._config
        failures = throttle.failures + 1 if throttle.refuses else 1
        if reply.retry_after_s >= config.max_adaptive_wait:
            failures = max(failures, self.refusals - 1)
        slowdown = throttle.slowdown
        if config.adaptive:
            longer = max(2 * self.interval(throttle), FIRST_S)
            slowdown = min(longer, config.max_adaptive_wait)
        return replace(
            throttle,
            slowdown=slowdown,
            failures=failures,
            parkings=throttle.parkings + (failures >= self.refusals),
            failure_code=reply.failure_code,
        )

    def _failed(self, throttle: HostThrottle, reply: HostFeedback) -> HostThrottle:
        failures = 1 if throttle.refuses else throttle.failures + 1
        return replace(
            throttle,
            failures=failures,
            parkings=throttle.parkings + (failures >= self._config.park_after),
            failure_code=reply.failure_code,
        )

    def _recovered(self, throttle: HostThrottle) -> float:
        full = 1 / max(self._config.wait, throttle.crawl_delay, MIN_INTERVAL_S)
        rate = 1 / throttle.slowdown + full / RECOVERY
        return 1 / rate if rate < full else 0.0


def _refusals(config: PolitenessConfig) -> int:
    """How many refusals make the longest slowdown; `park_after`, if that is more."""
    count, slowdown = 1, max(2 * config.wait, FIRST_S)
    while config.adaptive and slowdown < config.max_adaptive_wait:
        count, slowdown = count + 1, 2 * slowdown
    return max(count, config.park_after)


def _alive(throttle: HostThrottle) -> HostThrottle:
    """It answers."""
    if not throttle.failures:
        return throttle
    return replace(throttle, failures=0, parkings=0, failure_code="")


def _smoothed(latency: float, sample: float) -> float:
    return latency + GAIN * (sample - latency) if latency else sample
