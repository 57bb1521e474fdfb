"""The bound on the end of a crawl: the slowest of the hosts that answer."""

from __future__ import annotations

from crawler.frontier.throttle import Controller, HostThrottle
from crawler.frontier.waits import HostWork, slowest_of
from crawler.model.policy_config import PolitenessConfig

CONTROLLER = Controller(PolitenessConfig(wait=0.5))


def work(name: str, pages: int, images: int = 0, **throttle: float) -> HostWork:
    return HostWork(name, pages, images, 0.0, HostThrottle(**throttle))  # type: ignore[arg-type]


def test_a_host_that_fails_may_be_parked_and_sets_no_bound() -> None:
    hosts = [work("refusing", 900, slowdown=8.0, failures=1), work("slow", 40)]
    assert slowest_of(hosts, CONTROLLER, 1000) == ("slow", 20.0)
    assert slowest_of(hosts[:1], CONTROLLER, 1000) == ("", 0.0)


def test_images_are_fetched_beyond_a_limit_of_pages() -> None:
    hosts = [work("pages", 100), work("pictures", 0, images=30)]
    assert slowest_of(hosts, CONTROLLER, 10) == ("pictures", 15.0)
