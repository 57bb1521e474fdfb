"""What each answer to a request for robots.txt means (RFC 9309 section 2.3.1)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.frontier.throttle import HostFeedback
from crawler.model.crawl import Skip
from crawler.model.errors import (
    ConnectRefused,
    Failure,
    NameNotFound,
    NameTimeout,
    ProxyFailure,
    ReadTimeout,
    TlsHandshakeFailure,
)
from crawler.model.http import Request, Response, Timings
from crawler.model.policy_config import RobotsConfig
from crawler.policy.check import Candidate
from crawler.policy.robots_cache import RobotsCache

URL = "http://a.example/private/x"


def answer(
    status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    return Response(
        url="http://a.example/robots.txt",
        status=status,
        reason="",
        http_version="1.1",
        headers=headers,
        body=body,
        wire_bytes=len(body),
        timings=Timings(1),
        remote_ip=None,
        reused_connection=False,
    )


class Origin:
    """Gives the planned answers one after the other, and records the requests."""

    def __init__(self, answers: Iterable[Response | Failure]) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def fetch(self, request: Request) -> Response:
        self.asked.append(request.url)
        planned = next(self._answers)
        if isinstance(planned, Failure):
            raise planned
        return planned


class KeyValue:
    def __init__(self) -> None:
        self._values: dict[tuple[str, str], bytes] = {}

    def get(self, kind: str, key: str) -> bytes | None:
        return self._values.get((kind, key))

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        assert value is not None
        self._values[kind, key] = value


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Robots:
    """The cache and the conversation that fills it."""

    def __init__(self, config: RobotsConfig, origin: Origin, metadata, clock) -> None:
        cache = self.cache = RobotsCache(config, metadata, clock)
        self.fetch = RobotsFetcher(cache, origin.fetch, clock).fetch
        self.is_cached = cache.is_cached

    def check(self, url: str) -> Skip | None:
        return self.cache.check(Candidate(url, "a", "page", 1, due=True))


def robots(
    *answers: Response | Failure,
    metadata: KeyValue | None = None,
    clock: Clock | None = None,
    **config,
) -> tuple[Robots, Origin]:
    origin = Origin(answers)
    metadata = metadata if metadata is not None else KeyValue()
    return Robots(RobotsConfig(**config), origin, metadata, clock or Clock()), origin


def test_rules_are_fetched_once_for_an_origin():
    subject, origin = robots(
        answer(200, b"User-agent: *\nDisallow: /private\nCrawl-delay: 3\n")
    )
    assert not subject.is_cached(URL)
    fetched = subject.fetch(URL)
    assert (fetched.deferred, fetched.crawl_delay) == (False, 3.0)
    assert subject.is_cached("http://a.example/other")
    assert not subject.is_cached("https://a.example/other")
    assert not subject.is_cached("http://a.example:81/other")
    skip = subject.check(URL)
    assert skip is not None
    assert (skip.reason, skip.rule) == ("robots", "robots.txt:2 Disallow: /private")
    assert subject.check("http://a.example/other") is None
    assert origin.asked == ["http://a.example/robots.txt"]


def test_off_means_that_nothing_is_asked():
    subject, origin = robots(obey=False)
    assert subject.is_cached(URL)
    assert subject.check(URL) is None
    assert origin.asked == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_4xx_forbids_nothing(status):
    subject, _ = robots(answer(status, b"User-agent: *\nDisallow: /"))
    assert subject.fetch(URL).record.policy == "allow_all"
    assert subject.check(URL) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_5xx_and_429_defer_for_as_long_as_they_last(status):
    subject, _ = robots(*[answer(status)] * 9, answer(200))
    for _ in range(9):
        fetched = subject.fetch(URL)
        assert fetched.record.policy == "deferred"
        assert fetched.deferred
        assert fetched.feedback(7.0) == HostFeedback(
            7.0, "failed", failure_code=f"robots_{status}"
        )
        assert not subject.is_cached(URL)
    assert not subject.fetch(URL).deferred
    assert subject.check(URL) is None


def test_retry_after_says_when_to_ask_again():
    subject, _ = robots(answer(503, headers=(("retry-after", "30"),)), answer(503))
    assert subject.fetch(URL).not_before == Clock.now + 30
    assert subject.fetch(URL).not_before is None


def test_no_answer_is_a_failed_attempt_at_the_url_that_asked():
    subject, _ = robots(ConnectRefused("nothing listens"), answer(404))
    fetched = subject.fetch(URL)
    assert isinstance(fetched.unanswered, ConnectRefused)
    assert fetched.unanswered.message == "nothing listens"
    assert fetched.feedback(7.0) == HostFeedback(
        7.0, "failed", failure_code="connect_refused"
    )
    assert not subject.is_cached(URL)
    assert subject.fetch(URL).unanswered is None
    assert subject.check(URL) is None


def test_only_what_failed_after_the_request_is_said_of_robots_txt():
    """Without a connection the host has failed, whatever was to be asked first."""
    for failure in (NameTimeout("x"), TlsHandshakeFailure("x"), ProxyFailure("x")):
        subject, _ = robots(failure)
        assert subject.fetch(URL).unanswered.message == "x"
    subject, _ = robots(NameNotFound("x"))
    subject.fetch(URL)
    with pytest.raises(NameNotFound, match=r"\Ax\Z"):
        subject.check(URL)
    subject, _ = robots(ReadTimeout("no byte for 5 s"))
    assert subject.fetch(URL).unanswered.message == "robots.txt: no byte for 5 s"


def test_a_name_that_does_not_exist_is_not_asked_twice():
    subject, origin = robots(NameNotFound("no such name"))
    fetched = subject.fetch(URL)
    assert (fetched.deferred, fetched.unanswered, fetched.feedback(7.0)) == (
        False,
        None,
        None,
    )
    with pytest.raises(NameNotFound, match="no such name") as first:
        subject.check(URL)
    with pytest.raises(NameNotFound) as second:
        subject.check(URL)
    assert first.value is not second.value
    assert len(origin.asked) == 1


def test_five_redirects_are_followed_and_not_six():
    def hops(count: int) -> list[Response]:
        return [answer(301, headers=(("location", f"/{i}"),)) for i in range(count)]

    rules = answer(200, b"User-agent: *\nDisallow: /private\n")
    subject, origin = robots(*hops(5), rules)
    subject.fetch(URL)
    assert subject.check(URL) is not None
    assert origin.asked[-1] == "http://a.example/4"
    subject, origin = robots(*hops(6), rules)
    assert subject.fetch(URL).record.policy == "allow_all"
    assert subject.check(URL) is None


def test_notes_carry_the_rules_over_a_resume_until_they_expire():
    metadata, clock = KeyValue(), Clock()
    rules = answer(200, b"User-agent: *\nDisallow: /private\n")
    subject, _ = robots(rules, metadata=metadata, clock=clock)
    subject.fetch(URL)
    again, origin = robots(metadata=metadata, clock=clock, max_age=60.0)
    assert again.is_cached(URL)
    assert again.check(URL) is not None
    assert origin.asked == []
    clock.now += 86_400
    assert not again.is_cached(URL)
