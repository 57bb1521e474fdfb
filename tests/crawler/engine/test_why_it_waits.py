"""The view and `status --why` name the cause at each moment of a crawl that waits."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hub
from crawler.cli import run
from crawler.cli.terminal.formatting import estimate, waiting_text
from crawler.cli.terminal.result_line import result_line
from crawler.engine.builder import Crawl, open_crawl
from crawler.inspect.explain import explain
from crawler.inspect.hosts import summarise
from crawler.inspect.state import open_state
from crawler.inspect.status import read_status
from crawler.inspect.why_waiting import why_waiting
from crawler.model.config import Config
from crawler.model.host import Waits
from crawler.model.metadata import SILENT_HOSTS
from crawler.model.policy_config import LimitsConfig, PolitenessConfig
from crawler.model.units import show_moment
from tests.helpers.simulated_hosts import CONNECT_TIMEOUT_S, Host, World

PARKED_AFTER_S = 63.0
"""How long after its first refusal a host is parked, with the defaults."""


class Watcher:
    """Looks at a crawl once a (virtual) second, as view and as `status --why`."""

    def __init__(self, crawl: Crawl, folder: Path, clock: Any) -> None:
        self._crawl = crawl
        self._folder = folder
        self._clock = clock
        self.idle: list[tuple[str, list[str]]] = []
        """While no request was under way: the text of the view, and the reasons."""
        self.waiting: list[tuple[float, str, list[str]]] = []
        """The same at every other moment with URLs in the queue, with the time."""
        self.bounds: list[tuple[float, float]] = []
        """What the view and what `status` gives as the least time left (seconds)."""
        self.tables: list[set[str]] = []
        """The hosts that the view shows."""
        self.predictions: list[tuple[Waits, Waits]] = []
        """All that the view and `status` know of what is waited for."""
        self.with_reason: list[tuple[int, int]] = []
        """How many URLs have a reason, and how many are queued."""
        self.details: list[list[str]] = []

    def watch(self) -> None:
        while True:
            hub.sleep(0.97)  # not at the moment at which a host is due
            self._look()

    def _look(self) -> None:
        snapshot = self._crawl.snapshot()
        status = read_status(self._folder / "state", self._clock())
        assert status is not None
        self.bounds.append((snapshot.waits.least_s, status.waits.least_s))
        self.predictions.append((snapshot.waits, status.waits))
        self.tables.append({host for host, *_ in snapshot.hosts_top})
        if not snapshot.queued:
            return
        with open_state(self._folder) as (state, config):
            found = why_waiting(state, status, config, self._clock())
            with_reason = sum(one.urls for one in found if one.kind == "waits")
            self.with_reason.append((with_reason, state.count("queued")))
        self.details.append([one.detail for one in found if one.kind == "waits"])
        reasons = [one.reason for one in found if one.kind == "waits"]
        text = waiting_text(snapshot.waits, self._clock())
        self.waiting.append((self._clock(), text, reasons))
        if not snapshot.in_flight:
            self.idle.append((text, reasons))


def watched(
    hosts: list[Host], folder: Path, clock: Any, **more: Any
) -> tuple[Watcher, str]:
    """What was seen of a crawl of all pages of all hosts, and its last line."""
    seeds = tuple(url for host in hosts for url in host.urls)
    config = Config(seeds=seeds, dir=str(folder), concurrency=200, **more)
    crawl = open_crawl(config, mode="new", clock=clock, client=World(clock, hosts))
    watcher = Watcher(crawl, folder, clock)
    greenlet = hub.spawn(watcher.watch)
    summary = crawl.run()
    greenlet.kill()
    return watcher, result_line(summary, config)


@pytest.mark.parametrize(("status", "cause"), [(429, "429"), (503, "503")])
def test_hosts_that_refuse_for_ever_are_named_with_the_cause(
    clock, tmp_path, status, cause
):
    """200 hosts, 14 of them answer 429 for ever."""
    hosts = [Host(f"h{n}.example", pages=12) for n in range(200)]
    for host in hosts[::15]:
        host.refuses_always = status, None
    watcher, line = watched(hosts, tmp_path, clock)
    assert len(watcher.idle) > 30
    for text, reasons in watcher.idle:
        assert f"after {cause}" in text
        assert cause in reasons
    assert any(
        f"14 hosts backing off after {cause}, next in" in t for t, _ in watcher.idle
    )
    assert f"168 URLs left, 168 of them on 14 parked hosts ({cause})" in line
    refusing = [host for host in hosts if host.refuses_always]
    first = max(host.log[1].over for host in refusing)  # behind its robots.txt
    named = [(text, reasons) for at, text, reasons in watcher.waiting if at > first]
    assert len(named) > 60
    for text, reasons in named:
        assert f"after {cause}" in text
        assert cause in reasons
    assert clock() <= _bound(hosts, refusing)


def _bound(hosts: list[Host], refusing: list[Host]) -> float:
    """When the crawl is over by the rule in `frontier/throttle.py`, at the latest."""
    rule = PolitenessConfig()
    answers = max(host.log[1].over for host in refusing)
    parked = answers + PARKED_AFTER_S + len(refusing) * refusing[0].latency
    good = [seen.over for host in hosts for seen in host.log if seen.status == 200]
    waited = max(good) + rule.max_park_wait
    one_more = rule.max_adaptive_wait + refusing[0].latency
    return max(parked, waited) + one_more


@pytest.mark.parametrize(
    ("worse", "cause"),
    [
        ({"dead": "silent", "dead_from": 0.0}, "connection timeout"),
        ({"dead": "servfail", "dead_from": 0.0}, "dns_servfail"),
        ({"robots_status": 503}, "robots.txt answered 503"),
    ],
)
def test_a_host_that_can_not_be_reached_is_named_with_the_cause(
    clock, tmp_path, worse, cause
):
    host, other = Host("bad.example", pages=3), Host("good.example")
    for name, value in worse.items():
        setattr(host, name, value)
    watcher, line = watched([host, other], tmp_path, clock)
    assert watcher.idle
    for text, reasons in watcher.idle:
        assert f"after {cause}" in text
        assert any(cause in reason for reason in reasons), (text, reasons)
    cause = re.escape(cause)
    assert re.search(
        rf", (\d) URLs left, \1 of them on 1 parked host \({cause}\)", line
    )


def test_a_request_without_an_answer_is_told(clock, tmp_path):
    host = Host("bad.example")
    host.dead = "silent"
    crawl = open_crawl(
        Config(seeds=tuple(host.urls), dir=str(tmp_path)),
        mode="new",
        clock=clock,
        client=World(clock, [host]),
    )
    seen: list[str] = []

    def look() -> None:
        hub.sleep(CONNECT_TIMEOUT_S / 2)
        seen.append(waiting_text(crawl.snapshot().waits, clock()))

    hub.spawn(look)
    crawl.run()
    assert seen == ["no answer to a request for 5.0 s (bad.example)"]


def test_a_crawl_delay_is_named_and_gives_the_bound_of_the_time(clock, tmp_path):
    slow, quick = Host("slow.example", pages=10), Host("quick.example", pages=10)
    slow.crawl_delay = 30.0
    watcher, _ = watched([slow, quick], tmp_path, clock)
    texts = Counter(text.partition(",")[0] for text, _ in watcher.idle)
    assert texts.most_common(1)[0][0] == "1 host between two requests (Crawl-delay)"
    assert max(shown for shown, _ in watcher.bounds) == pytest.approx(10 * 30.0)
    assert [a for a, b in watcher.bounds if a != b] == []


def test_the_bound_follows_the_limit_of_pages(clock, tmp_path):
    politeness = PolitenessConfig(wait=10.0, max_adaptive_wait=10.0)
    host = Host("a.example", pages=50)
    watcher, line = watched(
        [host],
        tmp_path,
        clock,
        politeness=politeness,
        limits=LimitsConfig(max_pages=5),
    )
    assert watcher.bounds[0][0] == pytest.approx(50.0, abs=10.0)
    assert [a for a, b in watcher.bounds if a != b] == []
    assert "45 URLs left" in line


def test_each_queued_url_is_in_a_line_of_why(clock, tmp_path):
    """20 hosts: 6 refuse, 2 do not answer, one is slow, and the others are at work."""
    hosts = [Host(f"h{n:02}.example", pages=20) for n in range(20)]
    for host in hosts[:4]:
        host.refuses_always = 429, None
    for host in hosts[4:6]:
        host.refuses_always = 503, "9"
    for host in hosts[6:8]:
        host.dead = "silent"
    hosts[8].latency = 2.0
    watcher, _ = watched(hosts, tmp_path, clock)
    assert len(watcher.with_reason) > 60
    assert [one for one in watcher.with_reason if one[0] != one[1]] == []
    silent = "h06.example, h07.example: 2 requests under way, the longest for"
    assert any(silent in one for details in watcher.details for one in details)


def test_the_only_url_of_a_host_that_does_not_answer_has_a_line(clock, tmp_path):
    host, others = Host("bad.example"), [Host(f"h{n}.example", 50) for n in range(9)]
    host.dead = "silent"
    watcher, _ = watched([host, *others], tmp_path, clock)
    shown = [one for details in watcher.details for one in details if "bad." in one]
    assert "bad.example: 1 request under way, no answer for 4.9 s" in shown
    assert [one for one in watcher.with_reason if one[0] != one[1]] == []


def test_the_time_left_is_not_less_than_that_to_the_next_request(clock, tmp_path):
    hosts = [Host(f"h{n}.example", pages=12) for n in range(12)]
    for host in hosts[:6]:
        host.refuses_always = 429, None
    watcher, _ = watched(hosts, tmp_path, clock)
    backing_off = alike = 0
    for view, status in watcher.predictions:
        for waits in (view, status):
            due_s = [one.due_s for one in waits.groups if one.state == "backing off"]
            assert waits.least_s >= max(due_s, default=0.0)
            if due_s:
                backing_off += 1
                assert estimate(waits, 3600.0) is None
        if _counts(view) == _counts(status):  # not between an answer and its commit
            alike += 1
            assert view.least_s == pytest.approx(status.least_s)
    assert backing_off > 60
    assert alike > 30


def _counts(waits: Waits) -> list[tuple[str, str, int, int]]:
    return [(one.state, one.cause, one.hosts, one.urls) for one in waits.groups]


def test_a_crawl_that_is_over_leaves_no_silent_hosts(clock, tmp_path):
    host = Host("bad.example")
    host.dead = "silent"
    watched([host], tmp_path, clock)
    with open_state(tmp_path) as (state, _):
        assert list(state.items(SILENT_HOSTS)) == []


def test_a_host_that_only_waits_is_in_the_table_of_hosts(clock, tmp_path):
    parked, retried = Host("parked.example"), Host("retried.example")
    parked.robots_status = 503
    retried.refuses_always = 503, "20"
    busy = Host("busy.example", pages=60)
    watcher, _ = watched([parked, retried, busy], tmp_path, clock)
    names = {host.name for host in (parked, busy)}
    assert [shown for shown in watcher.tables[2:25] if not names <= shown] == []
    assert [s for s in watcher.tables[2:15] if "retried.example" not in s] == []


def test_a_crawl_that_has_ended_names_its_parked_hosts(clock, tmp_path, capsys):
    hosts = [Host(f"h{n}.example") for n in range(9)]
    for host in hosts[:4]:
        host.robots_status = 429
    _, line = watched(hosts, tmp_path, clock)
    assert "4 URLs left, 4 of them on 4 parked hosts (robots.txt answered 429)" in line
    for later in (0.0, 9e5):  # also when the time of all of them is over
        now = clock() + later
        status = read_status(tmp_path / "state", now)
        assert status is not None
        (group,) = status.parked
        assert (group.hosts, group.urls, group.cause) == (
            4, 4, "robots.txt answered 429",
        )  # fmt: skip
        with open_state(tmp_path) as (state, config):
            found = why_waiting(state, status, config, now)
            answer = explain(state, config, hosts[0].urls[0], now).answer
            failing = [summarise(host, now).failing for host in state.hosts()]
        (parked,) = (one for one in found if one.reason == group.cause)
        assert parked.urls == 4
        when = show_moment(group.until, now)
        assert f"and 1 more: parked, the first until {when}" in parked.detail
        assert parked.detail.endswith(f"; orbweb resume {tmp_path} tries again")
        assert "is parked (robots.txt answered 429), next request" in answer
        assert sum("429, parked until" in one for one in failing) == 4
        assert failing.count("") == 5
    assert run(["status", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "parked   4 hosts with 4 URLs: robots.txt answered 429, the first" in shown


def test_urls_whose_attempts_are_used_up_have_a_command(clock, tmp_path, capsys):
    """As docs/many-sites.md has it: hosts with a URL each end as errors."""
    hosts = [Host(f"h{n}.example") for n in range(4)]
    hosts[0].refuses_always = 429, None
    hosts[1].dead = "refused"
    _, line = watched(hosts, tmp_path, clock)
    command = f"orbweb retry {tmp_path} --code rate_limited,connect_refused"
    assert line.startswith("Finished: ")
    assert line.endswith(f"Next: {command}")
    assert run(["status", str(tmp_path)]) == 0
    text = f"retry    2 URLs failed for a reason that may pass: {command}\n"
    assert text in capsys.readouterr().out


def test_what_is_left_and_what_failed_both_have_a_command(clock, tmp_path):
    hosts = [Host("a.example"), Host("b.example"), Host("c.example")]
    hosts[0].robots_status = 503
    hosts[1].refuses_always = 429, None
    _, line = watched(hosts, tmp_path, clock)
    retry = f"1 URL failed for a reason that may pass: orbweb retry {tmp_path} --code"
    assert f"{retry} rate_limited. Next: orbweb resume {tmp_path}" in line
